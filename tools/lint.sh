#!/bin/sh
# clang-format and clang-tidy over the sources that a build directory compiles.  tools/lint.sh BUILD [JOBS] [FILTER]
set -eu
cd "$(dirname "$0")/.."
build=$1 jobs=${2:-$(nproc)} filter=${3:-/(src|tests|bench)/}

git ls-files '*.cc' '*.h' | grep -E "$(echo "$filter" | sed 's/^\///')" | xargs -r clang-format-19 --dry-run -Werror

# The commands are GCC's; clang needs to be told to overlook the flags that only GCC knows.
python3 -B - "$build" "$filter" <<'PYTHON' |
import json, re, sys
from pathlib import Path
for command in json.loads((Path(sys.argv[1]) / "compile_commands.json").read_text()):
    if re.search(sys.argv[2], command["file"]):
        print(command["file"])
PYTHON
  sort -u | xargs -r -P "$jobs" -n 1 clang-tidy-19 --quiet -p "$build" \
    --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument
