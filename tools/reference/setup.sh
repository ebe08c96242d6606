#!/bin/sh
# Creates .venv at the repository root with the packages of requirements.txt. Safe to run again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
wanted=$(cksum < "$here/requirements.txt")
if [ -x "$root/.venv/bin/python" ] && [ "$(cat "$root/.venv/.requirements" 2>/dev/null)" = "$wanted" ]; then
  echo "reference environment is up to date: $root/.venv"
  exit 0
fi
[ -x "$root/.venv/bin/python" ] || python3 -m venv "$root/.venv"
"$root/.venv/bin/python" -m pip install --quiet --upgrade pip
"$root/.venv/bin/python" -m pip install --quiet -r "$here/requirements.txt"
echo "$wanted" > "$root/.venv/.requirements"
echo "reference environment is ready: $root/.venv"
