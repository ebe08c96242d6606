#!/usr/bin/env python3
"""One layer of Scout's true width against the reference library, run by `make test-slow`: makes the layer and its
expected numbers with transformers (4.2 GB on disk), runs the golden test on it, and removes it.

Usage: slice_test.py SYSTEM_TEST SOURCE_DIRECTORY BUILD_DIRECTORY
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DISK_BYTES = 6 << 30
MEMORY_BYTES = 14 << 30  # one layer in float32 beside the checkpoint's pages


def memory_available():
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


def main():
    system_test, source, build = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    python = source / ".venv/bin/python"
    if not python.exists():
        sys.exit(f"{python} is missing; tools/reference/setup.sh makes it")
    disk = shutil.disk_usage(build).free
    if disk < DISK_BYTES:
        sys.exit(f"{build} has {disk >> 20} MB free, the slice needs {DISK_BYTES >> 20} MB")
    if memory_available() < MEMORY_BYTES:
        sys.exit(f"{memory_available() >> 20} MB of memory are free, the reference needs {MEMORY_BYTES >> 20} MB")
    with tempfile.TemporaryDirectory(prefix="slice_", dir=build) as folder:
        subprocess.run([python, source / "tools/reference/make_slice.py", folder, "--layers", "1"], check=True)
        ran = subprocess.run([system_test, "--gtest_filter=Other/*"], capture_output=True, text=True, check=False,
                             cwd=source, env={**os.environ, "HERD_GOLDEN_MODEL": folder})
    print(ran.stdout, ran.stderr, sep="")
    if ran.returncode != 0 or "[  PASSED  ] 1 test." not in ran.stdout:
        sys.exit("herd and the reference disagree, or no test ran")


if __name__ == "__main__":
    main()
