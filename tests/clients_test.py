#!/usr/bin/env python3
"""The official clients of OpenAI and Anthropic, Python and Node, against the built program.

    tests/clients_test.py HERD WORK_DIRECTORY

Installs the pinned clients (tests/clients/) into WORK_DIRECTORY where their registries can be reached, and says by name
which are skipped where they cannot. Exit status 77 when all are.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent / "clients"
SKIPPED = 77


class Server:
    """`herd serve` with one key, on a free port."""

    def __init__(self, herd, model="cria", arguments=()):
        self.data = tempfile.mkdtemp(prefix="herd_clients_")
        added = subprocess.run([herd, "keys", "add", "clients", "--data", self.data, "--json"], check=True,
                               stdout=subprocess.PIPE, text=True)
        self.key = json.loads(added.stdout)["key"]
        self.process = subprocess.Popen(
            [herd, "serve", model, "--port", "0", "--ctx", "4096", "--data", self.data, *arguments],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://"), line
        self.url = line.split()[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        shutil.rmtree(self.data)
        assert status == 0, f"herd serve ended with {status}"


def python_clients(work):
    """A Python with the pinned packages, or nothing."""
    python = work / "venv/bin/python"
    stamp = work / "venv/requirements.txt"
    wanted = (CLIENTS / "requirements.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        made = subprocess.run([sys.executable, "-m", "venv", work / "venv"], check=False)
        if made.returncode != 0:
            return None
        install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r",
                   CLIENTS / "requirements.txt"]
        if subprocess.run(install, check=False).returncode != 0:
            return None
        stamp.write_text(wanted)
    return python


def node_clients(work):
    """A directory with the checks and the pinned packages, or nothing."""
    if shutil.which("npm") is None:
        return None
    folder = work / "node"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (CLIENTS / "package.json").read_text()
    stamp = folder / "installed.json"
    if not stamp.exists() or stamp.read_text() != wanted:
        (folder / "package.json").write_text(wanted)
        install = ["npm", "install", "--silent", "--no-fund", "--no-audit"]
        if subprocess.run(install, cwd=folder, check=False).returncode != 0:
            return None
        stamp.write_text(wanted)
    shutil.copy(CLIENTS / "check_node.mjs", folder)
    return folder


def main():
    herd, work = os.path.abspath(sys.argv[1]), Path(sys.argv[2]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    python = python_clients(work)
    node = node_clients(work)
    ran = 0
    with Server(herd) as server:
        environment = {**os.environ, "HERD_URL": server.url, "HERD_KEY": server.key}
        for name in ("check_openai.py", "check_anthropic.py"):
            if python is None:
                print("skipped:", name, "- its packages could not be installed")
                continue
            subprocess.run([python, CLIENTS / name], env=environment, check=True)
            ran += 1
        if node is None:
            print("skipped: check_node.mjs - its packages could not be installed")
        else:
            subprocess.run(["node", "check_node.mjs"], cwd=node, env=environment, check=True)
            ran += 1
    return 0 if ran else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
