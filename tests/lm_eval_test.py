#!/usr/bin/env python3
"""lm-evaluation-harness against the built program and against transformers: one task, the same scores.

    tests/lm_eval_test.py HERD

Runs tools/reference/check_lm_eval.py in the environment that tools/reference/setup.sh makes. Exit status 77 where it is
not there.
"""

import os
import subprocess
import sys
from pathlib import Path

from clients_test import SKIPPED, Server

ROOT = Path(__file__).resolve().parent.parent


def main():
    herd = os.path.abspath(sys.argv[1])
    python = ROOT / ".venv/bin/python"
    if not python.exists() or subprocess.run([python, "-c", "import lm_eval, datasets"], check=False).returncode:
        print("skipped: tools/reference/setup.sh makes the environment with lm_eval")
        return SKIPPED
    with Server(herd, "models/cria", ["--precision", "f32"]) as server:
        environment = {**os.environ, "OPENAI_API_KEY": server.key, "HF_HUB_OFFLINE": "1"}
        check = [python, ROOT / "tools/reference/check_lm_eval.py", "--herd", herd, "--url", server.url]
        return subprocess.run(check, env=environment, check=False, timeout=1500).returncode


if __name__ == "__main__":
    sys.exit(main())
