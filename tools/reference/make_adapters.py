"""Writes tests/data/adapters: adapters that PEFT made for the tiny models, and what PyTorch says about learning them.

For each: the adapter as PEFT saves it, numbers in both its matrices; the loss of the model's prompts with it (as
in make_gradients.py), samples of the gradient of every one of its tensors, and the losses of ten steps of AdamW.

Usage: make_adapters.py [--only NAME ...]
"""

import argparse
import json
import pathlib
import shutil

import peft
import torch
import transformers
from safetensors.torch import save_file

import variants
from make_gradients import CLIP, OPTIMIZER, STEPS, cases_of, loss_of, samples_of
from specs import SPECS

ROOT = pathlib.Path(__file__).resolve().parents[2]
ATTENTION = r"self_attn\.[qkvo]_proj"
LINEAR = rf"(language_model\.)?model\.layers\.\d+\.({ATTENTION}|feed_forward\.(shared_expert\.)?(gate|up|down)_proj)"
GATE_UP, DOWN = "feed_forward.experts.gate_up_proj", "feed_forward.experts.down_proj"
# Everything at once; another scale, and layers without experts; one of the experts' two parameters alone, each.
KINDS = {
    "scout": dict(r=2, lora_alpha=4, target_modules=LINEAR, target_parameters=[GATE_UP, DOWN]),
    "maverick": dict(r=3, lora_alpha=5, use_rslora=True, target_modules=LINEAR, target_parameters=[GATE_UP, DOWN]),
    "topk2": dict(r=2, lora_alpha=2, target_modules=["q_proj", "v_proj"], target_parameters=[DOWN]),
    "twelve": dict(r=1, lora_alpha=2, target_modules=[], target_parameters=[GATE_UP]),
}


def make(name):
    source = ROOT / "tests/data/models" / name
    out = ROOT / "tests/data/adapters" / name
    base = variants.load(SPECS[name], source)
    model = peft.get_peft_model(base, peft.LoraConfig(**KINDS[name])).train()
    generator = torch.Generator().manual_seed(7)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    shutil.rmtree(out, ignore_errors=True)
    model.save_pretrained(out)
    (out / "README.md").unlink()
    config = json.loads((out / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = name
    (out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")

    patch = getattr(base.config, "image_token_index", -1)
    cases = cases_of(source)
    loss = loss_of(model, cases, patch)
    loss.backward()
    tensors = {"loss": loss.detach()[None]}
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad:
            stored = parameter_name.replace(".default", "")
            tensors[f"norm.{stored}"] = parameter.grad.norm()[None]
            tensors[f"samples.{stored}"] = samples_of(parameter.grad)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, **(OPTIMIZER | dict(weight_decay=0)))
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model, cases, patch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, CLIP)
        optimizer.step()
        losses.append(loss.detach())
    tensors["losses"] = torch.stack(losses)
    save_file({key: value.contiguous() for key, value in tensors.items()}, out / "expected.safetensors")
    for path in out.iterdir():
        path.chmod(0o644)
    kib = sum(path.stat().st_size for path in out.iterdir()) / 1024
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, {len(tensors)} tensors, {kib:.0f} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name in options.only:
        make(name)


if __name__ == "__main__":
    main()
