#!/bin/sh
# Installs what herd is built from: Debian 12's own packages, and only those that are missing. Safe to run again; when
# nothing is missing it touches neither apt nor the network.
#
#   tools/setup.sh            what `make run` and `make test` need
#   tools/setup.sh --dev      also clang, linter, formatter, Python's venv and a browser: for whoever changes herd
#   tools/setup.sh --arm      also what builds for AArch64 and runs that (`make test-arm`); adds Debian's arm64 packages
#   tools/setup.sh --check    only says what is missing; exit status 1 if anything is
#
# On another distribution install the counterparts by hand and set HERD_SKIP_SETUP=1.
set -eu

# Why each is here:
#   build-essential cmake ninja-build pkg-config python3   the build, and tools/tidy.py
#   ccache                                                 makes the second build quick
#   libhwy-dev                                             portable SIMD (src/kernels/cpu)
#   libfmt-dev libspdlog-dev libcli11-dev                  formatting, logging, command line
#   libboost1.81-dev                                       Boost.JSON, Asio and Beast
#   libutf8proc-dev                                        Unicode classes (src/text)
#   libjpeg62-turbo-dev libpng-dev libwebp-dev libgif-dev  pictures (src/media)
#   libedit-dev  line editing in the chat (src/cli/line_reader.cc)
#   libtomlplusplus-dev                                    recipes (src/train/recipe.cc)
#   libssl-dev libcurl4-openssl-dev                        hashes of keys, TLS, pictures by address (src/server)
#   zlib1g-dev                                             zip members of .pth files (src/checkpoint)
#   libgtest-dev libgmock-dev libbenchmark-dev             tests and benchmarks
packages="build-essential cmake ninja-build pkg-config python3 ccache libhwy-dev libfmt-dev libspdlog-dev libcli11-dev
libboost1.81-dev libutf8proc-dev libjpeg62-turbo-dev libpng-dev libwebp-dev libgif-dev libedit-dev zlib1g-dev libssl-dev libcurl4-openssl-dev
libtomlplusplus-dev libgtest-dev
libgmock-dev libbenchmark-dev"
# Cross compiler, emulator, and arm64's own of what the folders up to kernels are linked with.
arm_packages="g++-aarch64-linux-gnu qemu-user libhwy-dev:arm64 libfmt-dev:arm64 libspdlog-dev:arm64 libgtest-dev:arm64
libgmock-dev:arm64"
dev_packages="clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev lld-19 python3-venv chromium"

say() { printf 'setup: %s\n' "$*" >&2; }

check_only=no
arm=no
for argument in "$@"; do
  case $argument in
    --check) check_only=yes ;;
    --dev) packages="$packages $dev_packages" ;;
    --arm) packages="$packages $arm_packages" arm=yes ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) say "unknown argument '$argument'; wanted --check, --dev, --arm or --help"; exit 2 ;;
  esac
done

[ "${HERD_SKIP_SETUP:-}" != 1 ] || exit 0

if ! command -v dpkg-query > /dev/null; then
  say "this is not a Debian system. Install the counterparts of: $(echo $packages)"
  say "then set HERD_SKIP_SETUP=1 and run the same command again."
  exit 1
fi

# Names without an architecture mean this machine's, or none.
native=$(dpkg --print-architecture)
present=" $(dpkg-query -W -f '${db:Status-Status}:${Package}:${Architecture} ' $packages 2> /dev/null || true)"
missing=
for package in $packages; do
  case $present in
    *" installed:$package "* | *" installed:$package:$native "* | *" installed:$package:all "*) ;;
    *) missing="$missing $package" ;;
  esac
done
missing=${missing# }
[ -n "$missing" ] || exit 0

if [ "$check_only" = yes ]; then
  say "missing: $missing"
  exit 1
fi

# Root installs directly, others through sudo, which may ask for a password only where somebody can answer.
as_root=
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo > /dev/null; then
    as_root="sudo"
    [ -t 0 ] || as_root="sudo -n"
  else
    as_root=none
  fi
fi
if [ "$as_root" = none ] || ! command -v apt-get > /dev/null; then
  say "packages are missing, and this user cannot install them. As root: apt-get install $missing"
  exit 1
fi

say "installing $missing"
install() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@" > /dev/null
}
if [ $arm = yes ] && [ "$native" != arm64 ] && ! dpkg --print-foreign-architectures | grep -qx arm64; then
  $as_root dpkg --add-architecture arm64
fi
if ! install -q update || ! install -q install -y --no-install-recommends $missing; then
  say "apt-get failed (see above). By hand, as root: apt-get update && apt-get install $missing"
  exit 1
fi
say "done"
