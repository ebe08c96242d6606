"""Writes tests/data/train/muon.json: three steps of torch.optim.Muon on matrices of made-up numbers.

PyTorch rounds to bfloat16 before it orthogonalises; herd does not. So that more than two digits can be compared, that
rounding is switched off here; everything else is PyTorch's.

Usage: make_muon.py
"""

import json
import pathlib

import torch

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/data/train/muon.json"
SHAPES = {  # of the model that src/train/muon_test.cc makes: [out, in]
    "q_proj": (32, 24),
    "k_proj": (16, 24),
    "o_proj": (24, 32),
    "gate_proj": (40, 24),
    "down_proj": (24, 40),
}
STEPS, SAMPLES = 3, 16
OPTIONS = dict(lr=0.02, weight_decay=0.1, momentum=0.95, nesterov=True, adjust_lr_fn="match_rms_adamw")


def numbers(shape, stream):
    """[-0.5, 0.5): a mixed counter, so that any language can repeat it."""
    out = []
    for i in range(shape[0] * shape[1]):
        x = (i * 2654435761 + stream * 40503) & 0xFFFFFFFF
        x ^= x >> 15
        x = (x * 2246822519) & 0xFFFFFFFF
        x ^= x >> 13
        out.append(x / 2**32 - 0.5)
    return torch.tensor(out, dtype=torch.float32).reshape(shape)


def main():
    torch.bfloat16 = torch.float32
    result = {"torch": torch.__version__, "samples": {}}
    for stream, (name, shape) in enumerate(SHAPES.items()):
        weight = torch.nn.Parameter(numbers(shape, 100 * stream))
        optimizer = torch.optim.Muon([weight], **OPTIONS)
        rows = []
        for step in range(STEPS):
            weight.grad = numbers(shape, 100 * stream + step + 1)
            optimizer.step()
            flat = weight.detach().reshape(-1)
            rows.append([round(x, 8) for x in flat[:: flat.numel() // SAMPLES][:SAMPLES].tolist()])
        result["samples"][name] = rows
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
