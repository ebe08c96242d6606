#!/usr/bin/env python3
"""From a picture file and a question to tokens: herd beside transformers' own processor, template and generate().

usage: check_cria.py HERD [MODEL_DIR]

Greedy, float32. Prompt length and all answer ids must be equal. The processor lays out the prompt; the pixels
themselves are those of `herd preprocess`, because the processor rounds them to bfloat16 (spec D13; pixels are compared
elsewhere).
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image
from transformers import AutoProcessor, Llama4ForConditionalGeneration

ROOT = pathlib.Path(__file__).parents[2]
TOKENS = 64


def pixels_of(herd, directory, image):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "pixels.npy"
        subprocess.run([herd, "preprocess", directory, str(image), "--out", str(out)],
                       check=True, capture_output=True)
        return np.load(out)


def main():
    herd = sys.argv[1]
    directory = sys.argv[2] if len(sys.argv) > 2 else str(ROOT / "models/cria")
    processor = AutoProcessor.from_pretrained(directory)
    model = Llama4ForConditionalGeneration.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager").eval()
    pictures = sorted((ROOT / "tests/data/models/vision").glob("case*.png"))
    cases = [("Hello there!", []), ("¿Qué ves aquí? 日本語", [pictures[0]]),
             ("compare", [pictures[0], pictures[-1]])]
    bad = 0
    for text, images in cases:
        content = [{"type": "image"} for _ in images] + [{"type": "text", "text": text}]
        prompt = processor.apply_chat_template([{"role": "user", "content": content}],
                                               add_generation_prompt=True, tokenize=False)
        loaded = [Image.open(i).convert("RGB") for i in images] or None
        inputs = processor(text=prompt, images=loaded, return_tensors="pt",
                           add_special_tokens=False)
        if "pixel_values" in inputs:
            tiles = [pixels_of(herd, directory, i) for i in images]
            own = torch.from_numpy(np.concatenate(tiles))
            assert own.shape == inputs["pixel_values"].shape
            assert (own - inputs["pixel_values"].float()).abs().max() < 0.02
            inputs["pixel_values"] = own
        out = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)
        wanted = out[0, inputs["input_ids"].shape[1]:].tolist()
        stop = set(model.generation_config.eos_token_id)
        wanted = [t for t in wanted if t not in stop]
        command = [herd, "generate", directory, text, "--json", "--temperature", "0",
                   "--precision", "f32", "--max-tokens", str(TOKENS)]
        for image in images:
            command += ["--image", str(image)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        same_prompt = found["prompt_tokens"] == inputs["input_ids"].shape[1]
        ok = same_prompt and found["tokens"] == wanted
        bad += not ok
        print(f"{'ok ' if ok else 'BAD'} {len(images)} pictures, prompt {found['prompt_tokens']}"
              f" tokens, {len(wanted)} answer tokens")
    sys.exit(bad)


if __name__ == "__main__":
    main()
