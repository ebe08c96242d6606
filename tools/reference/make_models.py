"""Writes tests/data/models/*: tiny random Llama 4 models and the numbers transformers computes with
them.

Usage: make_models.py [--only NAME ...] [--search]    --search looks for seeds without near ties and
prints them.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile
import warnings

import torch
import transformers
from safetensors.torch import save_file
from transformers import Llama4ImageProcessor

import expected
import variants
import weights
from specs import SPECS, build

ROOT = pathlib.Path(__file__).resolve().parents[2]


def save_model(spec, seed, directory):
    """A Hugging Face directory as the library itself writes it."""
    model = build(spec)
    weights.fill(model, seed)
    model = model.to(spec.dtype)
    model.save_pretrained(directory, max_shard_size=spec.max_shard_size)
    if spec.vision is not None:
        side = spec.vision["image_size"]
        processor = Llama4ImageProcessor(
            size={"height": side, "width": side}, max_patches=spec.max_tiles
        )
        processor.save_pretrained(directory)


def make(spec, seed, directory):
    """Writes one model directory; raises expected.Margin if the seed is no good."""
    save_model(spec, seed, directory)
    rewrite = getattr(variants, spec.rewrite) if spec.rewrite else variants.load
    cases = spec.cases(seed)
    tensors, notes = expected.compute(rewrite(spec, directory), cases)
    save_file(tensors, directory / "expected.safetensors")
    for index, case in enumerate(cases):
        for number, image in enumerate(case.pictures):
            image.save(directory / f"case{index}.image{number}.png")
    for path in directory.iterdir():
        path.chmod(0o644)  # safetensors files come out private
    return tensors, notes


def make_named(name, out, search):
    """Makes model `name` below `out`; with `search`, the first good seed from the given one on."""
    spec = SPECS[name]
    for seed in range(spec.seed, spec.seed + (100 if search else 1)):
        with tempfile.TemporaryDirectory(prefix="herd-reference-") as scratch:
            try:
                tensors, notes = make(spec, seed, pathlib.Path(scratch))
            except expected.Margin as reason:
                print(f"{name}: seed {seed}: {reason}", file=sys.stderr)
                continue
            target = out / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(scratch, target)
        size = sum(f.stat().st_size for f in target.iterdir())
        deep = max(
            (k for k in tensors if k.startswith("case0.hidden.")),
            key=lambda k: int(k.split(".")[2]),
        )
        spread = (
            f"hidden std {tensors[deep].std():.2f}, logits std {tensors['case0.logits'].std():.2f}"
        )
        print(f"{name}: seed {seed}, {size / 1024:.0f} KiB, {spread}", *notes, sep="\n  ")
        return
    raise SystemExit(f"{name}: no usable seed; run with --search")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SPECS, default=list(SPECS))
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests/data/models")
    options = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation, so the same bytes every time
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message="Casting complex values")
    for name in options.only:
        make_named(name, options.out, options.search)


if __name__ == "__main__":
    main()
