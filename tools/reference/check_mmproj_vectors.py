#!/usr/bin/env python3
"""The vectors that a picture becomes: transformers' beside those of llama.cpp's mtmd from the files that herd writes.

usage: check_mmproj_vectors.py LLAMA_MTMD_CLI HERD [COUNT]

LLAMA_MTMD_CLI is the program of that name out of llama.cpp's own build, new enough for MTMD_DEBUG_EMBEDDINGS. Pictures
of one tile, so that nothing is resized. The version tried (in llama-cpp-python 0.3.36) leaves the second turn of the
pixel shuffle out, so its vectors stand column by column where Meta's and Hugging Face's code have them row by row: the
numbers agree once that is undone, and the places in a picture are exchanged for the model that reads them.
"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import Llama4ForConditionalGeneration

ROOT = pathlib.Path(__file__).parents[2]
CRIA = ROOT / "models/cria"


def dumped(path):
    """[vectors, width] as mtmd writes them."""
    data = path.read_bytes()
    vectors, width = struct.unpack("ii", data[:8])
    return np.frombuffer(data[8:], np.float32).reshape(vectors, width)


def main():
    """Prints the largest differences, row by row and column by column."""
    program, herd, count = sys.argv[1], str(pathlib.Path(sys.argv[2]).resolve()), (sys.argv[3:] or ["8"])[0]
    model = Llama4ForConditionalGeneration.from_pretrained(CRIA, dtype=torch.float32).eval()
    plain = turned = largest = 0.0
    with tempfile.TemporaryDirectory() as name:
        here = pathlib.Path(name)
        text, vision, dump, pixels = (here / part for part in ("m.gguf", "mmproj-m.gguf", "dump", "pixels.npy"))
        subprocess.run([herd, "convert", CRIA, text, "--type", "f16", "--vision-out", vision], check=True,
                       capture_output=True)
        subprocess.run([herd, "gen", "--task", "shapes", "--count", count, "--pictures", here], check=True,
                       capture_output=True)
        for picture in sorted(here.glob("*.png")):
            subprocess.run([herd, "preprocess", CRIA, picture, "--out", pixels], check=True, capture_output=True)
            tiles = torch.from_numpy(np.load(pixels))
            if tiles.shape[0] != 1:
                continue
            with torch.no_grad():
                seen = model.get_image_features(pixel_values=tiles, vision_feature_select_strategy="default")
                seen = seen if torch.is_tensor(seen) else seen.last_hidden_state
                wanted = model.multi_modal_projector(seen.reshape(-1, seen.shape[-1])).numpy()
            subprocess.run([program, "-m", text, "--mmproj", vision, "--image", picture, "-p", "What?", "-n", "1",
                            "--jinja"], check=True, capture_output=True,
                           env={**os.environ, "MTMD_DEBUG_EMBEDDINGS": str(dump)})
            given = dumped(dump)
            side = int(len(given) ** 0.5)
            across = given.reshape(side, side, -1).transpose(1, 0, 2).reshape(given.shape)
            plain = max(plain, float(np.abs(given - wanted).max()))
            turned = max(turned, float(np.abs(across - wanted).max()))
            largest = max(largest, float(np.abs(wanted).max()))
    print(f"as they stand {plain:.3g} apart, turned about the diagonal {turned:.3g}, of {largest:.3g}")
    assert min(plain, turned) < 1e-3 * largest


if __name__ == "__main__":
    main()
