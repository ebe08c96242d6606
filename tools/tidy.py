#!/usr/bin/env python3
"""The project's style as a test: rules that a reviewer has had to say twice. Each finding names the replacement.

    tools/tidy.py                    look at the whole tree; exit status 1 if anything is found
    tools/tidy.py --build build      also compare with build/compile_commands.json
    tools/tidy.py --lower            write smaller numbers, where the tree got better, into tools/tidy_debts.json

A rule is a generator over a Tree that yields (path, line, what is wrong and what to do instead). Rules about C++ are in
tidy_cxx.py, rules about files and documents in tidy_files.py; this file holds the tree and the debts. Each rule has a
test in tidy_test.py that plants a violation.
"""

import argparse
import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from cxx_text import code_only, comments_of  # noqa: E402

# What is known and owed: "findings" counts findings by "file: rule", "file_lines" and "function_lines" grant what has
# grown past the guide its present size. Numbers only go down.
DEBTS = "tools/tidy_debts.json"
TEXT_BYTES_MAX = 2_000_000  # larger files are data, whatever their name


class Tree:
    """The files of the repository by path. `files` maps a path to its bytes; tests make one by hand."""

    def __init__(self, files, compile_commands=None):
        self.files = files
        self.compile_commands = compile_commands  # paths that the build compiles, or None when there is no build
        self.debts = json.loads(self.text(DEBTS) or "{}")
        self.lowered = {"findings": {}, "file_lines": {}, "function_lines": {}}

    @classmethod
    def of_directory(cls, root, build=None):
        root = Path(root).resolve()
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, capture_output=True, check=False)
        if listed.returncode == 0:
            paths = sorted(set(listed.stdout.decode().split("\0")) - {""})
        else:  # an unpacked archive, or no git
            paths = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
            paths = [path for path in paths if not path.startswith(("build/", ".venv/", ".git/"))]
        files = {path: (root / path).read_bytes() for path in paths if (root / path).is_file()}
        compiled = None
        if build and (Path(build) / "compile_commands.json").exists():
            commands = json.loads((Path(build) / "compile_commands.json").read_text())
            compiled = {os.path.relpath(command["file"], root) for command in commands}
        return cls(files, compiled)

    def text(self, path):
        """The file as text; empty for what is missing, binary or huge."""
        data = self.files.get(path, b"")
        if len(data) > TEXT_BYTES_MAX or b"\0" in data[:8192]:
            return ""
        return data.decode("utf-8", errors="replace")

    @functools.cache
    def code(self, path):
        return code_only(self.text(path))

    @functools.cache
    def comments(self, path):
        return comments_of(self.text(path))

    def paths(self, *suffixes, under=("",)):
        return [path for path in self.files if path.endswith(suffixes) and path.startswith(tuple(under))]

    def cxx(self, under=("src/", "tests/", "bench/", "fuzz/")):
        return self.paths(".cc", ".h", under=under)

    def granted(self, kind, key, value, limit):
        """The size that `key` may have: `limit`, or what the debts grant. Notes the present `value` for --lower."""
        granted = self.debts.get(kind, {}).get(key, limit)
        if value > limit and granted > limit:
            self.lowered[kind][key] = min(value, granted)
        return granted


def rules():
    """{name: rule}, in the order in which they are run."""
    import tidy_cxx
    import tidy_files

    found = {}
    for module in (tidy_cxx, tidy_files):
        for name, function in vars(module).items():
            if name.startswith("rule_"):
                found[name.removeprefix("rule_")] = function
    return found


def findings(tree):
    """["path:line: [rule] message"], sorted, without those that are owed. A new finding is never covered by the debt of
    another file or rule; where there are more than owed, all of that file and rule are shown."""
    places = {}
    for name, rule in rules().items():
        for path, line, message in rule(tree):
            places.setdefault(f"{path}: {name}", []).append((path, line, f"{path}:{line}: [{name}] {message}"))
    out = []
    for place, found in places.items():
        owed = tree.debts.get("findings", {}).get(place, 0)
        if owed > 0:
            tree.lowered["findings"][place] = min(len(found), owed)
        if len(found) > owed:
            out += found
    return [text for _, _, text in sorted(out)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--build", default=None, help="build directory with compile_commands.json")
    parser.add_argument("--lower", action="store_true", help="lower the debts to what is found")
    arguments = parser.parse_args()
    tree = Tree.of_directory(arguments.root, arguments.build)
    found = findings(tree)
    if arguments.lower:
        (Path(arguments.root) / DEBTS).write_text(json.dumps(tree.lowered, indent=2, sort_keys=True) + "\n")
    for text in found:
        print(text)
    owed = sum(tree.debts.get("findings", {}).values())
    if tree.lowered != {kind: tree.debts.get(kind, {}) for kind in tree.lowered}:
        print("tidy: some debts are paid; run tools/tidy.py --lower", file=sys.stderr)
    print(f"tidy: {len(found)} findings in {len(tree.files)} files, {owed} known debts", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
