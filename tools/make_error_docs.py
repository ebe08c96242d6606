#!/usr/bin/env python3
"""Writes docs/errors.md from the table in src/base/error_codes.h, the one list of errors. tidy checks that it is
fresh."""

import re
from pathlib import Path

HEADER = """# Errors

Made by `tools/make_error_docs.py` from `src/base/error_codes.h`; change it there.

An error is printed to stderr as `error[E1102]: message`, where the message names the thing, what was found and what was
wanted, and sometimes a second line `hint: ...` with the next step. The exit status follows sysexits.h: 0 ok, 2 usage,
65 bad data, 66 missing input, 69 unavailable (memory, CPU feature), 70 internal, 73 cannot create, 74 input or output,
75 busy, 77 refused for safety.

A failed `HERD_CHECK` is none of these: it is a fault of herd, prints the file and line, and aborts. Please report it.

"""

ROW = re.compile(r'CodeRow\{\s*Code::(\w+),\s*"(E\d+)",\s*"(\w+)",\s*(\d+),\s*"([^"]*)"\s*\}', re.DOTALL)


def error_docs(table):
    """The whole document for the text of error_codes.h."""
    lines = ["| number | name | exit status | what it means |", "|---|---|---|---|"]
    for _, number, name, status, sentence in ROW.findall(table):
        lines.append(f"| {number} | `{name}` | {status} | {sentence} |")
    return HEADER + "\n".join(lines) + "\n"


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    text = error_docs((root / "src/base/error_codes.h").read_text())
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs/errors.md").write_text(text)
