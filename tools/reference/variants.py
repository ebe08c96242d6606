"""Rewrites of a saved directory into the other forms checkpoints come in.

Each takes (spec, directory), changes the files in place and returns the transformers model, float32
with eager attention, that has the same weights.
"""

import json

import torch
import transformers
from safetensors.torch import load_file, save_file

import int4
from native import to_native_files

FP8_MAX = 448.0


def load(spec, directory):
    """The directory as it is, through the library."""
    config = transformers.AutoConfig.from_pretrained(directory)
    kind = getattr(transformers, config.architectures[0])
    return kind.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()


def edit_config(directory, change):
    """Applies `change` to the parsed config.json."""
    path = directory / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config, indent=2) + "\n")


def write_weights(tensors, directory):
    """Replaces model.safetensors."""
    save_file(
        {k: v.contiguous() for k, v in tensors.items()},
        directory / "model.safetensors",
        {"format": "pt"},
    )


def spell_transformers_4(spec, directory):
    """config.json as transformers 4.51 wrote it for Scout: flat rope fields, an integer for a flag,
    an empty list.
    """
    model = load(spec, directory)

    def change(config):
        config["torch_dtype"] = config.pop("dtype")
        config["transformers_version"] = "4.51.0.dev0"
        text = config["text_config"]
        rope = text.pop("rope_parameters")
        text["rope_theta"] = rope.pop("rope_theta")
        text["rope_scaling"] = rope
        text["attn_temperature_tuning"] = 4
        text["no_rope_layers"] = []
        text["for_llm_compressor"] = False
        text["cache_implementation"] = "hybrid"
        text["torch_dtype"] = config["torch_dtype"]
        for key in ("layer_types", "no_rope_layer_interval"):
            text.pop(key)
        vision = config["vision_config"]
        vision["rope_theta"] = vision.pop("rope_parameters")["rope_theta"]
        vision["vision_feature_layer"] = -1

    edit_config(directory, change)
    return model


def add_prefix(spec, directory):
    """Every name behind `model.`, and a computed buffer that some exporters store."""
    model = load(spec, directory)
    tensors = {
        "model." + name: value for name, value in load_file(directory / "model.safetensors").items()
    }
    tensors["model.language_model.model.rotary_emb.inv_freq"] = (
        model.language_model.model.rotary_emb.inv_freq.clone()
    )
    write_weights(tensors, directory)
    return model


def spell_guard(spec, directory):
    """A dense model without chunks. The library cannot run attention_chunk_size null: its prompt is
    within one chunk.
    """
    model = load(spec, directory)

    def change(config):
        text = config["text_config"]
        text["attention_chunk_size"] = None
        text["cache_implementation"] = "static"
        text.pop("layer_types")

    edit_config(directory, change)
    return model


def quantize_rows(weight, scale_dtype):
    """(e4m3 [out, in], scale [out, 1]): one scale per output row, the row's largest value at the
    end of the range.
    """
    scale = (weight.abs().amax(dim=1, keepdim=True) / FP8_MAX).to(scale_dtype)
    return (weight / scale.float()).clamp(-FP8_MAX, FP8_MAX).to(torch.float8_e4m3fn), scale


def quantize_fp8(spec, directory):
    """Routed experts one Linear each, [out, in], e4m3 with a scale per row, as compressed-tensors
    publishes them.

    Layer 0: scales in bfloat16. Layer 1: scales in float32, the shared expert quantized too. Layer
    2: unfused but left in bfloat16. Layer 3: fused bfloat16, untouched.
    """
    model = load(spec, directory)
    stored = load_file(directory / "model.safetensors")

    def put(name, weight, scale_dtype):
        """Stores a [out, in] float32 weight (quantized if there is a scale type); returns the value
        it now has.
        """
        if scale_dtype is None:
            stored[name + ".weight"] = weight.bfloat16()
            return weight
        stored[name + ".weight"], stored[name + ".weight_scale"] = quantize_rows(
            weight, scale_dtype
        )
        return stored[name + ".weight"].float() * stored[name + ".weight_scale"].float()

    for layer, scale_dtype in ((0, torch.bfloat16), (1, torch.float32), (2, None)):
        block = model.model.layers[layer].feed_forward
        prefix = f"model.layers.{layer}.feed_forward."
        del stored[prefix + "experts.gate_up_proj"], stored[prefix + "experts.down_proj"]
        for expert in range(block.experts.num_experts):
            gate, up = block.experts.gate_up_proj.data[expert].t().chunk(2)
            down = block.experts.down_proj.data[expert].t()
            gate, up, down = (
                put(f"{prefix}experts.{expert}.{name}", value.contiguous(), scale_dtype)
                for name, value in (("gate_proj", gate), ("up_proj", up), ("down_proj", down))
            )
            block.experts.gate_up_proj.data[expert] = torch.cat([gate, up]).t()
            block.experts.down_proj.data[expert] = down.t()
        if layer == 1:
            for name in ("gate_proj", "up_proj", "down_proj"):
                linear = getattr(block.shared_expert, name)
                linear.weight.data = put(
                    f"{prefix}shared_expert.{name}", linear.weight.data, scale_dtype
                )
    write_weights(stored, directory)
    edit_config(directory, lambda config: config.update(quantization_config=fp8_config()))
    return model


def fp8_config():
    """quantization_config in the words of compressed-tensors."""

    def scheme(**changes):
        return (
            dict(num_bits=8, type="float", symmetric=True, group_size=None, block_structure=None)
            | changes
        )

    return {
        "quant_method": "compressed-tensors",
        "format": "float-quantized",
        "quantization_status": "compressed",
        "kv_cache_scheme": None,
        "global_compression_ratio": None,
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": scheme(strategy="channel", dynamic=False, observer="minmax"),
                "input_activations": scheme(strategy="token", dynamic=True, observer=None),
                "output_activations": None,
            }
        },
        "ignore": [
            "lm_head",
            "re:.*self_attn",
            "re:.*router",
            "re:.*layers\\.(0|2|3)\\.feed_forward\\.shared_expert.*",
            "re:.*layers\\.(2|3)\\.feed_forward\\.experts.*",
        ],
    }


def quantize_int4(spec, directory):
    """Routed and shared experts one Linear each, in compressed-tensors' "pack-quantized" int4: layer 0 as Meta rounds,
    scales of 128 inputs in float32; the others with a bfloat16 scale an output that nearly fits the largest number.
    """
    model = load(spec, directory)
    stored = load_file(directory / "model.safetensors")

    def put(name, weight, layer):
        """Stores a [out, in] float32 weight; returns the value it now has."""
        if layer == 0:
            changes, scale = {}, int4.metas().int4_row_quantize(weight)[1].t().contiguous()
        else:
            changes = {"strategy": "channel", "group_size": None}
            scale = (weight.abs().amax(dim=1, keepdim=True) / 7.5).bfloat16()
        packed = int4.pack(weight, scale, **changes)
        stored.update({f"{name}.{end}": value for end, value in packed.items()})
        stored.pop(name + ".weight", None)
        return int4.unpack(packed, **changes)

    for layer, block in enumerate(model.model.layers):
        prefix = f"model.layers.{layer}.feed_forward."
        experts, shared = block.feed_forward.experts, block.feed_forward.shared_expert
        del stored[prefix + "experts.gate_up_proj"], stored[prefix + "experts.down_proj"]
        for expert in range(experts.num_experts):
            matrices = dict(zip(("gate_proj", "up_proj"), experts.gate_up_proj.data[expert].t().chunk(2)))
            matrices["down_proj"] = experts.down_proj.data[expert].t()
            gate, up, down = (put(f"{prefix}experts.{expert}.{name}", value.contiguous(), layer)
                              for name, value in matrices.items())
            experts.gate_up_proj.data[expert] = torch.cat([gate, up]).t()
            experts.down_proj.data[expert] = down.t()
        for name in ("gate_proj", "up_proj", "down_proj"):
            linear = getattr(shared, name)
            linear.weight.data = put(f"{prefix}shared_expert.{name}", linear.weight.data, layer)
    write_weights(stored, directory)
    edit_config(directory, lambda config: config.update(quantization_config=int4_config()))
    return model


def int4_config():
    """quantization_config as compressed-tensors writes it for the above."""

    def group(layers, **changes):
        said = int4.scheme(**changes).model_dump(mode="json")
        return said | {"targets": [f"re:.*layers\\.{layers}\\.feed_forward.*_proj"], "format": "pack-quantized"}

    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "kv_cache_scheme": None,
        "config_groups": {
            "group_0": group("0"),
            "group_1": group("[^0]", strategy="channel", group_size=None),
        },
        "ignore": ["lm_head", "re:.*self_attn", "re:.*router"],
    }


def to_native(spec, directory):
    """Meta's own files instead of the library's."""
    model = load(spec, directory)
    tensors = load_file(directory / "model.safetensors")
    for path in directory.iterdir():
        path.unlink()
    to_native_files(spec, tensors, directory)
    return model
