#!/usr/bin/env python3
"""The project's style as a test: rules that a reviewer has had to say twice. Each finding names the replacement.

    tools/tidy.py                    look at the whole tree; exit status 1 if anything is found
    tools/tidy.py --build build      also compare with build/compile_commands.json
    tools/tidy.py --lower-ratchet    write smaller numbers, where the tree got better, into tools/tidy_ratchet.json

A rule is a generator over a Tree that yields (path, line, what is wrong and what to do instead). Rules about C++ are in
tidy_cxx.py, rules about files and documents in tidy_files.py; this file holds the tree and the ratchet. Each rule has a
test in tidy_test.py that plants a violation.
"""

import argparse
import functools
import json
import re
import os
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from cxx_text import code_only, comments_of  # noqa: E402

RATCHET = "tools/tidy_ratchet.json"
TEXT_BYTES_MAX = 2_000_000  # larger files are data, whatever their name


class Tree:
    """The files of the repository by path. `files` maps a path to its bytes; tests make one by hand."""

    def __init__(self, files, compile_commands=None):
        self.files = files
        self.compile_commands = compile_commands  # paths that the build compiles, or None when there is no build
        self.ratchet = json.loads(self.text(RATCHET) or "{}")
        self.lowered = {}

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

    def beyond_ratchet(self, list_name, key, value, limit):
        """Whether `value` exceeds what the ratchet grants to `key`, or `limit` where it grants nothing."""
        granted = self.ratchet.get(list_name, {}).get(key, limit)
        if granted > limit:
            self.lowered.setdefault(list_name, {})[key] = min(value, granted)
        return value > granted


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
    """["path:line: [rule] message"], sorted."""
    out = []
    for name, rule in rules().items():
        for path, line, message in rule(tree):
            out.append((path, line, f"{path}:{line}: [{name}] {message}"))
    return [text for _, _, text in sorted(out)]


def lower_ratchet(tree, root):
    """Writes what the rules saw: numbers go down, entries that are no longer needed go away."""
    lowered = {
        name: {key: value for key, value in sorted(tree.lowered.get(name, {}).items()) if value > 0}
        for name in tree.ratchet
    }
    (Path(root) / RATCHET).write_text(json.dumps(lowered, indent=2) + "\n")


DEBTS = "tools/tidy_debts.json"


def beyond_debts(found, debts):
    """Findings beyond those that are known and owed: `debts` counts them by "file: rule". New ones are never covered by
    old ones of another file or rule; of debts that were paid a line reminds."""
    by_place = {}
    for text in found:
        file, rule = re.match(r"(.*?):\d+: \[(\w+)\]", text).groups()
        by_place.setdefault(f"{file}: {rule}", []).append(text)
    beyond = []
    for place, texts in by_place.items():
        if len(texts) > debts.get(place, 0):
            beyond += texts
    for place, owed in debts.items():
        if len(by_place.get(place, [])) < owed:
            print(f"tidy: {place} owes fewer than {owed} by now; lower it in {DEBTS}", file=sys.stderr)
    return beyond


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--build", default=None, help="build directory with compile_commands.json")
    parser.add_argument("--lower-ratchet", action="store_true")
    arguments = parser.parse_args()
    tree = Tree.of_directory(arguments.root, arguments.build)
    found = findings(tree)
    if arguments.lower_ratchet:
        lower_ratchet(tree, arguments.root)
    debts = json.loads((Path(arguments.root) / DEBTS).read_text())
    beyond = beyond_debts(found, debts)
    for text in beyond:
        print(text)
    print(f"tidy: {len(beyond)} findings in {len(tree.files)} files, {sum(debts.values())} known debts",
          file=sys.stderr)
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
