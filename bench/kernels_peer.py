"""Are herd's matrix products as fast as PyTorch's? The same shapes, one after the other, taking turns.

  .venv/bin/python bench/kernels_peer.py [--bench build/kernels_bench] [--rounds 3] [--threads 1]

Each round runs kernels_bench for one shape and then torch.nn.functional.linear on the same shape, weight type and
number of threads; the best of all rounds counts on both sides, because others may use the machine. With one thread both
sides count processor time, with more the clock on the wall. Weights of bfloat16 are multiplied by float32 inputs in
herd and by bfloat16 inputs in torch, which has no mixed product.
"""

import argparse
import json
import pathlib
import subprocess
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]

# (substring that selects one line of kernels_bench, rows, in, out, weight type)
SHAPES = [
    ("matmul q bf16 5120x5120 T=1", 1, 5120, 5120, torch.bfloat16),
    ("matmul q f32 5120x5120 T=1", 1, 5120, 5120, torch.float32),
    ("matmul q bf16 5120x5120 T=512", 512, 5120, 5120, torch.bfloat16),
    ("matmul q f32 5120x5120 T=512", 512, 5120, 5120, torch.float32),
    ("training out_in groups=1 rows=2048 192x512", 2048, 192, 512, torch.float32),
    ("training out_in groups=1 rows=2048 384x192", 2048, 384, 192, torch.float32),
]


def seconds_of_herd(options, name):
    command = [options.bench, f"--threads={options.threads}", f"--only={name}"]
    if options.threads == 1:
        command.append("--cpu")
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [row for row in map(json.loads, lines) if row.get("kernel") == name]
    if len(found) != 1:
        raise SystemExit(f"kernels_bench printed {len(found)} lines called '{name}', wanted one")
    return found[0]["us"] * 1e-6


def seconds_of_torch(options, rows, inputs, outputs, dtype):
    x, weight = torch.randn(rows, inputs, dtype=dtype), torch.randn(outputs, inputs, dtype=dtype)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    best, spent = float("inf"), 0.0
    with torch.inference_mode():
        torch.nn.functional.linear(x, weight)
        for call in range(200):
            if call >= 3 and spent > 1.0:
                break
            start = clock()
            torch.nn.functional.linear(x, weight)
            seconds = clock() - start
            best, spent = min(best, seconds), spent + seconds
    return best


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--bench", default=ROOT / "build/kernels_bench")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)

    print("| product | herd | torch | torch's time / herd's |")
    print("|---|--:|--:|--:|")
    for name, rows, inputs, outputs, dtype in SHAPES:
        ours = theirs = float("inf")
        for _ in range(options.rounds):
            ours = min(ours, seconds_of_herd(options, name))
            theirs = min(theirs, seconds_of_torch(options, rows, inputs, outputs, dtype))
        unit, factor = ("ms", 1e3) if max(ours, theirs) > 1e-3 else ("us", 1e6)
        cells = [name, f"{ours * factor:.2f} {unit}", f"{theirs * factor:.2f} {unit}", f"{theirs / ours:.2f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
