#!/usr/bin/env python3
"""Holds a directory that `herd quantize MODEL DIRECTORY --type int4` wrote against the libraries: Meta's rounding of
MODEL's bf16 weights (llama-models) and compressed-tensors' own way from the files to numbers.

usage: check_int4.py MODEL DIRECTORY    MODEL: a Hugging Face directory of one file, experts fused
"""
import json
import pathlib
import sys

import torch
from compressed_tensors.quantization import QuantizationConfig
from safetensors.torch import load_file

import int4


def fused_or_plain(weights, name):
    """A matrix [out, in] of the model, by the name that it has in the directory."""
    if name + ".weight" in weights:
        return weights[name + ".weight"]
    experts, expert, kind = name.rsplit(".", 2)
    if kind == "down_proj":
        return weights[experts + ".down_proj"][int(expert)].t()
    gate, up = weights[experts + ".gate_up_proj"][int(expert)].t().chunk(2)
    return gate if kind == "gate_proj" else up


def main():
    """Compares matrix by matrix; says how many."""
    model, directory = (pathlib.Path(word) for word in sys.argv[1:3])
    weights, written = load_file(model / "model.safetensors"), load_file(directory / "model.safetensors")
    config = json.loads((directory / "config.json").read_text())["quantization_config"]
    QuantizationConfig.model_validate(config)
    said = config["config_groups"]["group_0"]["weights"]
    scheme = {key: said[key] for key in ("num_bits", "type", "symmetric", "strategy", "group_size")}
    meta, checked = int4.metas(), 0
    for key in [key for key in written if key.endswith(".weight_packed")]:
        name = key.removesuffix(".weight_packed")
        state = {end: written[f"{name}.{end}"] for end in ("weight_packed", "weight_scale", "weight_shape")}
        weight = fused_or_plain(weights, name).contiguous()
        codes, scales = meta.int4_row_quantize(weight)
        assert state["weight_shape"].tolist() == list(weight.shape), name
        assert torch.equal(state["weight_scale"], scales.t()), name
        again = int4.unpack(state, **scheme)
        assert torch.equal(again, codes.float() * scales.t().repeat_interleave(int4.GROUP, dim=1)), name
        checked += 1
    left = [key for key in written if not key.rsplit(".", 1)[-1].startswith("weight_") and
            not (key in weights and torch.equal(written[key], weights[key]))]
    assert checked and not left, left[:5]
    print(f"{checked} matrices: Meta's codes and scales, compressed-tensors' numbers; all others are the model's")


if __name__ == "__main__":
    main()
