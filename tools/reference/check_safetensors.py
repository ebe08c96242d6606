"""Shows files that herd accepted to the safetensors library, which must accept each of them too.

    mkdir /tmp/mutants && HERD_MUTANTS=/tmp/mutants build/checkpoint_test --gtest_filter='*NoMutant*'
    .venv/bin/python tools/reference/check_safetensors.py /tmp/mutants

Prints how many were accepted by both; exit status 1 when the library refuses one or reads other tensors.
"""

import json
import struct
import sys
from pathlib import Path

import safetensors


def stated(data):
    """{name: (dtype, shape)} by Python's JSON, as a third opinion."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}


def check(path):
    """Nothing, or why the library would not take the file as herd did."""
    try:
        with safetensors.safe_open(path, "np") as file:
            found = {name: file.get_slice(name) for name in file.keys()}
            found = {name: (one.get_dtype(), tuple(one.get_shape())) for name, one in found.items()}
    except Exception as error:  # the library's own kind, and whatever else
        return f"refused: {error}"
    if found != stated(path.read_bytes()):
        return f"reads {found}"
    return None


def main():
    paths = sorted(Path(sys.argv[1]).glob("*.safetensors"))
    wrong = [(path, why) for path in paths if (why := check(path))]
    for path, why in wrong[:20]:
        print(f"{path.name}: {why}")
    print(f"{len(paths)} files, {len(wrong)} of them not accepted by safetensors {safetensors.__version__}")
    sys.exit(1 if wrong or not paths else 0)


if __name__ == "__main__":
    main()
