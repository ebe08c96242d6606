#!/usr/bin/env python3
"""Takes the README's picture of the chat page: tools/page_picture.py build/herd WORK OUT.png

WORK is the folder where tests/browser_test.py put playwright-core (build/browser). What the page shows is what cria
answers, at temperature 0, to the first held-out question about shapes of the generated world.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from clients_test import Server  # noqa: E402


def main():
    herd, work, out = (os.path.abspath(path) for path in sys.argv[1:])
    shutil.copy(ROOT / "tools/page_picture.mjs", work)
    with tempfile.TemporaryDirectory() as pictures, Server(herd) as server:
        made = subprocess.run([herd, "gen", "--task", "shapes", "--split", "held_out", "--count", "1", "--pictures",
                               pictures], check=True, stdout=subprocess.PIPE, text=True)
        question = json.loads(made.stdout)["messages"][0]["content"][1]["text"]
        picture = next(pathlib.Path(pictures).glob("*.png"))
        environment = {**os.environ, "HERD_URL": server.url, "HERD_KEY": server.key, "PICTURE": str(picture),
                       "QUESTION": question,
                       "CHROMIUM": shutil.which("chromium"), "OUT": out}
        subprocess.run(["node", "page_picture.mjs"], cwd=work, env=environment, check=True)


if __name__ == "__main__":
    main()
