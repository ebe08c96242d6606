"""What the scripts that write hostile files share: where they go, what is expected of each, and how good ones look."""

import io
import json
import struct
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "tests" / "attacks"

expectations = []


def expect(kind, path, code, *contains, hint=None):
    """Notes what the reader of `kind` must answer: the code's number ("ok" for none) and words of the message."""
    entry = {"kind": kind, "path": path, "code": code, "contains": list(contains)}
    if hint:
        entry["hint"] = hint
    expectations.append(entry)


def write(path, data):
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data if isinstance(data, bytes) else data.encode())


LFS = """version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 4976698672
"""
HTML = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"


def packed(header, data=b""):
    """A safetensors file from the header's text (or bytes) and the data."""
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype="F32", shape=(1,), offsets=(0, 4), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def header_of(**tensors):
    return json.dumps(tensors)


def archive(entries, compress=False):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as file:
        for entry, data in entries:
            file.writestr(zipfile.ZipInfo(entry, (1980, 1, 1, 0, 0, 0)), data,
                          zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
    return out.getvalue()


def torch_file(storages, pickled=b"\x80\x02}.", byteorder=b"little", **more):
    entries = [("x/data.pkl", pickled), ("x/byteorder", byteorder)]
    entries += [(f"x/data/{key}", data) for key, data in storages.items()]
    return archive(entries, **more)
