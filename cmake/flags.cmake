# Compiler flags of every target: warnings are errors, hardening is on. docs/hardening.md says why each, and which were
# rejected; tests/hardening_test.py asserts them on the built program.
add_library(herd_flags INTERFACE)

target_compile_options(herd_flags INTERFACE
  -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wformat=2 -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # No -Wnull-dereference: GCC 12 reports it inside its own library once everything is inlined; clang's check is on.
  target_compile_options(herd_flags INTERFACE -Wtrampolines -Wbidi-chars=any)
else()
  target_compile_options(herd_flags INTERFACE -Wnull-dereference)
  # libstdc++ 12's own stable_sort calls what C++17 deprecated, and clang says so of every use; GCC still looks at ours.
  target_compile_options(herd_flags INTERFACE -Wno-deprecated-declarations)
endif()

# Files and lines for debuggers and profilers are an eighth of compiling; names of functions are there without them.
option(HERD_LINES "line numbers in Release builds, for debuggers and profilers" OFF)
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
if(HERD_LINES)
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
endif()
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g")
target_compile_options(herd_flags INTERFACE -fno-omit-frame-pointer)
# A multiplication and an addition are fused where the source says so and nowhere else: "the same bits at any batch" must
# not depend on what the compiler sees in each instantiation.
target_compile_options(herd_flags INTERFACE -ffp-contract=off)
# Messages, debug information and builds do not depend on where the sources lie.
target_compile_options(herd_flags INTERFACE -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_compile_options(herd_flags INTERFACE -D_GLIBCXX_ASSERTIONS)

if(HERD_SANITIZE)
  target_compile_options(herd_flags INTERFACE -fsanitize=${HERD_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(herd_flags INTERFACE -fsanitize=${HERD_SANITIZE})
  if(HERD_FUZZ)
    target_compile_options(herd_flags INTERFACE -fsanitize=fuzzer-no-link)
  endif()
else()
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    set(HERD_JUMP_MARKS -fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
    set(HERD_JUMP_MARKS -mbranch-protection=standard)
  endif()
  target_compile_options(herd_flags INTERFACE
    -fstack-protector-strong -fstack-clash-protection ${HERD_JUMP_MARKS}
    -fno-strict-overflow -fno-delete-null-pointer-checks)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(herd_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(herd_flags INTERFACE
      $<$<NOT:$<BOOL:$<TARGET_PROPERTY:HERD_LEAVES_VARIABLES_ALONE>>>:-ftrivial-auto-var-init=zero>)
  endif()
  target_link_options(herd_flags INTERFACE
    -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
endif()
