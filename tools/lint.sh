#!/bin/sh
# clang-format and clang-tidy over what a build directory compiles.
#   tools/lint.sh BUILD [JOBS] [FILTER]      FILTER is a regular expression over paths, such as src/base/
set -eu
cd "$(dirname "$0")/.."
build=$1 jobs=${2:-$(nproc)} filter=${3:-.}
status=0

git ls-files '*.cc' '*.h' | grep -E "$filter" | xargs -r clang-format-19 --dry-run -Werror || status=1

# The commands are GCC's: clang is told to overlook the flags that only GCC knows.
sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" | grep -v /lone_headers/ |
  grep -E "$filter" | sort -u | xargs -r -P "$jobs" -n 1 clang-tidy-19 --quiet -p "$build" \
    --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument 2>&1 |
  grep -v ' warnings generated\.$' >&2 && status=1

exit $status
