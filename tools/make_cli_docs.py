#!/usr/bin/env python3
"""Puts what the program says of itself into docs/cli.md: every block that begins with `$ herd ... --help` gets the
command's present output. The text around the blocks is written by hand. A test (Program.IsDocumented) compares.

    tools/make_cli_docs.py build/herd
"""

import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parent.parent / "docs/cli.md"
BLOCK = re.compile(r"```console\n\$ herd (?P<arguments>[^\n]*--help)\n.*?```", re.DOTALL)


def with_help(text, program):
    """`text` with every block filled by the program."""
    def filled(match):
        said = subprocess.run([program, *match["arguments"].split()], capture_output=True, text=True, check=True).stdout
        return f"```console\n$ herd {match['arguments']}\n{said.rstrip()}\n```"

    return BLOCK.sub(filled, text)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: tools/make_cli_docs.py PROGRAM")
    DOCUMENT.write_text(with_help(DOCUMENT.read_text(), sys.argv[1]))


if __name__ == "__main__":
    main()
