# The two commands are `make run` and `make test`; everything else is a thin name for a CMake preset. See `make help`.
JOBS ?= $(shell nproc)
MODEL ?= models/cria
PORT ?= 8080
FUZZ_SECONDS ?= 30
MAKEFLAGS += --no-print-directory

.PHONY: run chat test build bench format lint test-slow test-arm asan tsan fuzz setup setup-arm setup-dev clean help
.DEFAULT_GOAL := help

run: build/build.ninja ## serve a model: a chat page and APIs; MODEL=dir for another one than models/cria, PORT=8080
	@cmake --build build --target herd -j $(JOBS)
	@build/herd serve "$(MODEL)" --port "$(PORT)"

chat: build/build.ninja ## talk to a model in the terminal
	@cmake --build build --target herd -j $(JOBS)
	@if [ -t 0 ] || [ -p /dev/stdin ] || [ -s /dev/stdin ]; then build/herd chat "$(MODEL)"; \
	else echo "make chat: nobody is typing, so here is one question: Hello" >&2; echo Hello | build/herd chat "$(MODEL)"; fi

test: build/build.ninja ## build everything and run every quick test, tidy included
	@cmake --build build -j $(JOBS)
	@ctest --test-dir build -LE 'slow|gpu' -j $(JOBS) --output-on-failure --no-tests=error

build: build/build.ninja ## the program, at build/herd
	@cmake --build build --target herd -j $(JOBS)

bench: build/build.ninja ## build bench/ and run each program; say which machine with the numbers
	@cmake --build build -j $(JOBS)
	@for program in build/*_bench; do echo "== $$program"; $$program; done

test-slow: setup-dev build/build.ninja ## what takes minutes or gigabytes: true widths, Meta's tokenizer, 64k tokens, fuzzing
	@tools/reference/setup.sh
	@cmake --build build -j $(JOBS)
	@ctest --test-dir build -L slow --output-on-failure --no-tests=error
	@$(MAKE) test-arm
	@$(MAKE) fuzz

test-arm: setup-arm ## the tests up to the kernels for AArch64, cross-compiled, under QEMU on three processors
	@cmake --preset arm64
	@cmake --build build/arm64 --target base_test quant_test kernels_test -j $(JOBS)
	@tests/arm_test.sh build/arm64

asan: export ASAN_OPTIONS = detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:check_initialization_order=1:allocator_may_return_null=1
asan: export UBSAN_OPTIONS = print_stacktrace=1
tsan: export TSAN_OPTIONS = second_deadlock_stack=1:history_size=7
asan tsan: setup-dev ## the quick tests under clang's address+undefined / thread sanitizer
	@cmake --preset $@
	@cmake --build build/$@ -j $(JOBS)
	@ctest --test-dir build/$@ -LE 'slow|gpu|tidy' -j $(JOBS) --output-on-failure --no-tests=error

fuzz: setup-dev ## every parser against made-up inputs, FUZZ_SECONDS=30 each
	@cmake --preset fuzz
	@cmake --build build/fuzz --target fuzz_targets -j $(JOBS)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) ctest --test-dir build/fuzz -L fuzz --output-on-failure --no-tests=error

lint: setup-dev build/build.ninja ## clang-tidy over src/
	@tools/lint.sh build $(JOBS)

format: setup-dev ## clang-format over everything
	@git ls-files '*.cc' '*.h' | xargs clang-format-19 -i

setup: ## install missing Debian packages
	@tools/setup.sh

setup-arm: ## also the cross compiler and emulator of test-arm
	@tools/setup.sh --arm

setup-dev: ## also those that only developers need
	@tools/setup.sh --dev

# Ninja configures anew by itself when a CMakeLists.txt changes; presets it does not know.
build/build.ninja: CMakePresets.json | setup
	@cmake --preset release
	@touch $@

clean: ## remove build/
	@cmake -E rm -rf build

help: ## this list
	@sed -n 's/^\([a-z -]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
