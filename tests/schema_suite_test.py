#!/usr/bin/env python3
"""The outside judges of the grammars: the official JSON Schema test suite, and with --validator Python's jsonschema.

    tests/schema_suite_test.py [--validator] GRAMMAR_CHECK

The suite is where SCHEMA_SUITE says, a checkout or a git directory of
github.com/json-schema-org/JSON-Schema-Test-Suite. Exit status 77 where the suite or the validator is not there.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = 77


def main(arguments):
    check = arguments[-1]
    if "--validator" in arguments:
        python = ROOT / ".venv/bin/python"
        if not python.exists() or subprocess.run([python, "-c", "import jsonschema"], check=False).returncode:
            print("skipped: tools/reference/setup.sh makes the environment with jsonschema")
            return SKIPPED
        return subprocess.run([python, ROOT / "tools/reference/check_grammar.py", check], check=False).returncode
    suite = os.environ.get("SCHEMA_SUITE")
    if not suite or not Path(suite).is_dir():
        print("skipped: SCHEMA_SUITE names no copy of the official JSON Schema test suite")
        return SKIPPED
    command = [sys.executable, ROOT / "tools/schema_suite.py", suite, "--check", check]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
