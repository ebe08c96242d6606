#!/usr/bin/env python3
"""The chat page in headless Chromium against the built program.

    tests/browser_test.py HERD WORK_DIRECTORY

Installs the pinned playwright-core (tests/browser/) into WORK_DIRECTORY where npm can; the browser is Debian's
chromium. Exit status 77, with a word why, where either is not there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from clients_test import SKIPPED, Server

BROWSER = Path(__file__).resolve().parent / "browser"


def main():
    herd, work = os.path.abspath(sys.argv[1]), Path(sys.argv[2]).resolve()
    program = shutil.which("chromium")
    if program is None:
        print("skipped: no chromium; tools/setup.sh --dev installs it")
        return SKIPPED
    if shutil.which("npm") is None:
        print("skipped: no npm")
        return SKIPPED
    work.mkdir(parents=True, exist_ok=True)
    wanted = (BROWSER / "package.json").read_text()
    stamp = work / "installed.json"
    if not stamp.exists() or stamp.read_text() != wanted:
        (work / "package.json").write_text(wanted)
        install = ["npm", "install", "--silent", "--no-fund", "--no-audit"]
        if subprocess.run(install, cwd=work, check=False).returncode != 0:
            print("skipped: playwright-core could not be installed")
            return SKIPPED
        stamp.write_text(wanted)
    shutil.copy(BROWSER / "check_page.mjs", work)
    with Server(herd) as server:
        environment = {**os.environ, "HERD_URL": server.url, "HERD_KEY": server.key, "CHROMIUM": program}
        ran = subprocess.run(["node", "check_page.mjs"], cwd=work, env=environment, check=False, timeout=600)
        return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
