"""Writes gradients.safetensors beside the tiny models: what PyTorch says about learning from their prompts.

For each model: the loss of its prompts as one batch (mean of next-token cross-entropy over all of them, pictures'
tokens left out as targets), samples of the gradient of every parameter, and the losses of ten steps of AdamW.
float32, eager attention, each prompt by itself.

Usage: make_gradients.py [--only NAME ...]
"""

import argparse
import pathlib

import torch
import transformers
from safetensors.torch import load_file, save_file

import variants
from specs import SPECS

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ["scout", "maverick", "chunks", "temperature", "topk2", "twelve", "vision", "onelayer"]
SAMPLES = 64  # of each gradient, evenly spread over it
STEPS = 10
OPTIMIZER = dict(lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
CLIP = 1.0


def cases_of(directory):
    """[(tokens, pixels or None)] as stored with the expected numbers."""
    stored = load_file(directory / "expected.safetensors")
    cases = []
    while f"case{len(cases)}.tokens" in stored:
        name = f"case{len(cases)}"
        cases.append((stored[f"{name}.tokens"], stored.get(f"{name}.pixels")))
    return [case for case in cases if len(case[0]) > 1]


def loss_of(model, cases, patch):
    """Mean next-token loss over all cases; a token that stands for a picture is never a target."""
    total, count = 0, 0
    for tokens, pixels in cases:
        inputs = {"input_ids": tokens[None]}
        if pixels is not None:
            inputs["pixel_values"] = pixels
        logits = model(**inputs, use_cache=False).logits[0, :-1]
        targets = tokens[1:].clone()
        targets[targets == patch] = -100
        total = total + torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100, reduction="sum")
        count += (targets != -100).sum()
    return total / count


def samples_of(gradient):
    """Evenly spread entries of a flattened gradient."""
    flat = gradient.reshape(-1)
    step = max(1, flat.numel() // SAMPLES)
    return flat[::step][:SAMPLES].clone()


def make(name):
    directory = ROOT / "tests/data/models" / name
    model = variants.load(SPECS[name], directory).train()
    patch = getattr(model.config, "image_token_index", -1)
    cases = cases_of(directory)
    loss = loss_of(model, cases, patch)
    loss.backward()
    out = {"loss": loss.detach()[None]}
    for parameter_name, parameter in model.named_parameters():
        if parameter.grad is None:  # the vision encoder when there are no pictures
            continue
        out[f"norm.{parameter_name}"] = parameter.grad.norm()[None]
        out[f"samples.{parameter_name}"] = samples_of(parameter.grad)
    optimizer = torch.optim.AdamW(model.parameters(), **OPTIMIZER)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model, cases, patch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        losses.append(loss.detach())
    out["losses"] = torch.stack(losses)
    path = directory / "gradients.safetensors"
    save_file({key: value.contiguous() for key, value in out.items()}, path)
    path.chmod(0o644)
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, {len(out)} tensors, {path.stat().st_size / 1024:.0f} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name in options.only:
        make(name)


if __name__ == "__main__":
    main()
