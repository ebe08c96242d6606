"""Does PEFT compute with an adapter that herd learned what herd computes, and is the merged model the same?

Usage: check_adapter.py HERD MODEL_DIR ADAPTER_DIR      after: herd finetune MODEL_DIR data.jsonl --out OUT
"""

import subprocess
import sys
import tempfile

import numpy as np
import peft
import torch
import transformers

TOKENS = [5, 300, 77, 410, 900, 15, 33, 1200, 64]
TOLERANCE = 1e-4  # of the logits' range


def herd_logits(herd, arguments, scratch):
    """The rows of TOKENS as the program gives them."""
    path = f"{scratch}/logits.npy"
    tokens = ",".join(map(str, TOKENS))
    subprocess.run(
        [herd, "logits", *arguments, "--precision", "f32", "--tokens", tokens, "--out", path],
        check=True,
        capture_output=True,
    )
    return np.load(path)


def main():
    herd, model_directory, adapter = sys.argv[1:]
    model = transformers.AutoModelForImageTextToText.from_pretrained(
        model_directory, dtype=torch.float32, attn_implementation="eager"
    )
    model = peft.PeftModel.from_pretrained(model, adapter).eval()
    with torch.no_grad():
        wanted = model(input_ids=torch.tensor([TOKENS])).logits[0].numpy()
    spread = wanted.max() - wanted.min()
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [herd, "export", model_directory, "--adapter", adapter, "--out", f"{scratch}/merged", "--type", "f32"],
            check=True,
            capture_output=True,
        )
        for name, arguments in (
            ("adapter", [model_directory, "--adapter", adapter]),
            ("merged", [f"{scratch}/merged"]),
        ):
            found = herd_logits(herd, arguments, scratch).reshape(wanted.shape)
            error = abs(found - wanted).max() / spread
            print(f"{'ok ' if error < TOLERANCE else 'BAD'} {name}: {error:.1e} of the logits' range")


if __name__ == "__main__":
    main()
