#!/usr/bin/env python3
"""A Hugging Face checkpoint as GGUF, written with the `gguf` package and the tensor names of llama.cpp's converter:
files that herd did not write itself, for tests/data/gguf and for comparisons by hand.

usage: make_gguf.py                     write tests/data/gguf from tests/data/models and models/cria
       make_gguf.py MODEL OUT.gguf [--mmproj OUT] [--type f32|f16|bf16|q8_0] [--plain]
--plain leaves out the keys by which a model may differ from the published ones (llama.cpp does not know them).
"""
import argparse
import json
import math
import pathlib

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).parents[2]
TYPES = gguf.GGMLQuantizationType
FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32, "q8_0": 7}
LAYER = {"input_layernorm.weight": "attn_norm", "post_attention_layernorm.weight": "ffn_norm",
         "self_attn.q_proj.weight": "attn_q", "self_attn.k_proj.weight": "attn_k", "self_attn.v_proj.weight": "attn_v",
         "self_attn.o_proj.weight": "attn_output", "feed_forward.router.weight": "ffn_gate_inp",
         "feed_forward.gate_proj.weight": "ffn_gate", "feed_forward.up_proj.weight": "ffn_up",
         "feed_forward.down_proj.weight": "ffn_down", "feed_forward.shared_expert.gate_proj.weight": "ffn_gate_shexp",
         "feed_forward.shared_expert.up_proj.weight": "ffn_up_shexp",
         "feed_forward.shared_expert.down_proj.weight": "ffn_down_shexp"}
VISION = {"class_embedding": "v.class_embd", "positional_embedding_vlm": "v.position_embd.weight",
          "patch_embedding.linear.weight": "v.patch_embd.weight", "layernorm_pre.weight": "v.pre_ln.weight",
          "layernorm_pre.bias": "v.pre_ln.bias", "layernorm_post.weight": "v.post_ln.weight",
          "layernorm_post.bias": "v.post_ln.bias", "vision_adapter.mlp.fc1.weight": "mm.model.mlp.1.weight",
          "vision_adapter.mlp.fc2.weight": "mm.model.mlp.2.weight"}
VISION_LAYER = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
                "self_attn.o_proj": "attn_out", "input_layernorm": "ln1", "post_attention_layernorm": "ln2",
                "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"}


def tensors_of(model):
    """Every tensor as float32 under its name without the prefixes; experts stay fused."""
    out = {}
    for path in sorted(model.glob("model*.safetensors")):
        for name, tensor in load_file(path).items():
            for prefix in ("model.", "language_model.", "model."):
                name = name.removeprefix(prefix)
            out[name] = tensor.float()
    return out


def gguf_tensors(name, tensor):
    """The GGUF tensors that one tensor becomes, as (file, name, tensor): file "text" or "vision"."""
    top = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight",
           "lm_head.weight": "output.weight"}
    if name in top:
        return [("text", top[name], tensor)]
    if name == "multi_modal_projector.linear_1.weight":
        return [("vision", "mm.model.fc.weight", tensor)]
    if name.startswith("vision_model."):
        rest = name.removeprefix("vision_model.")
        if rest in VISION:
            return [("vision", VISION[rest], tensor)]
        _, _, layer, part, *more = rest.split(".")
        *middle, end = more
        return [("vision", f"v.blk.{layer}.{VISION_LAYER['.'.join([part, *middle])]}.{end}", tensor)]
    _, layer, rest = name.split(".", 2)
    if rest in LAYER:
        return [("text", f"blk.{layer}.{LAYER[rest]}.weight", tensor)]
    if rest == "feed_forward.experts.gate_up_proj":  # [E, D, 2I]: gate before up
        gate, up = tensor.transpose(1, 2).chunk(2, dim=1)
        return [("text", f"blk.{layer}.ffn_gate_exps.weight", gate), ("text", f"blk.{layer}.ffn_up_exps.weight", up)]
    if rest == "feed_forward.experts.down_proj":
        return [("text", f"blk.{layer}.ffn_down_exps.weight", tensor.transpose(1, 2))]
    raise ValueError(name)


def add(writer, name, tensor, kind):
    data = tensor.contiguous().numpy().astype(np.float32)
    plain = data.ndim == 1 or "ffn_gate_inp" in name or name in ("v.position_embd.weight", "v.patch_embd.weight")
    if plain or kind == "f32" or (kind == "q8_0" and data.shape[-1] % 32 != 0):
        writer.add_tensor(name, data)
    else:
        quantized = TYPES[kind.upper()]
        writer.add_tensor(name, gguf.quants.quantize(data, quantized), raw_dtype=quantized)


def rope_divisors(text):
    rope = text.get("rope_parameters") or {}
    if rope.get("rope_type") != "llama3":
        return None
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    context, half, out = rope["original_max_position_embeddings"], text["head_dim"] // 2, []
    for i in range(half):
        wavelength = 2 * math.pi * rope["rope_theta"] ** (i / half)
        if wavelength > context / low:
            out.append(rope["factor"])
        elif wavelength < context / high or low == high:
            out.append(1.0)
        else:
            kept = (context / wavelength - low) / (high - low)
            out.append(1 / ((1 - kept) / rope["factor"] + kept))
    return torch.tensor(out)


def add_words(writer, path):
    """The tokenizer of a tokenizer.json as llama.cpp's converter writes it."""
    words = json.loads(path.read_text())
    tokens = {number: (word, 1) for word, number in words["model"]["vocab"].items()}
    tokens |= {added["id"]: (added["content"], 3 if added["special"] else 4) for added in words["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama4")
    writer.add_token_list([tokens[number][0] for number in range(len(tokens))])
    writer.add_token_types([tokens[number][1] for number in range(len(tokens))])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge)
                             for merge in words["model"]["merges"]])
    if r"|\p{N}|" in json.dumps(words["pre_tokenizer"]).replace("\\\\", "\\"):
        writer.add_string("herd.tokenizer.split", "single_digits")
    return {word: number for number, (word, _) in tokens.items()}


def add_text_keys(writer, config, kind, plain):
    text = config.get("text_config", config)
    rope = text.get("rope_parameters") or {}
    experts = text.get("num_local_experts") or 0
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(text["hidden_size"])
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_feed_forward_length(text["intermediate_size_mlp"])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_key_length(text["head_dim"])
    writer.add_value_length(text["head_dim"])
    writer.add_rope_freq_base(rope.get("rope_theta", 500000.0))
    writer.add_rope_dimension_count(text["head_dim"])
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    writer.add_vocab_size(text["vocab_size"])
    writer.add_expert_count(experts)
    writer.add_file_type(FILE_TYPES[kind])
    if experts:
        writer.add_expert_used_count(text["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(text["intermediate_size"])
        writer.add_uint32("llama4.interleave_moe_layer_step", text["interleave_moe_layer_step"])
    if plain:
        return
    writer.add_bool("llama4.use_qk_norm", text["use_qk_norm"])
    writer.add_uint32("llama4.attention.chunk_size", text["attention_chunk_size"] or 0)
    writer.add_uint32("llama4.attention.temperature_length", text["floor_scale"])
    writer.add_array("herd.no_rope_layers", text["no_rope_layers"])
    for name, key in (("image_token_index", "token"), ("boi_token_index", "start_token"),
                      ("eoi_token_index", "end_token")):
        if name in config:
            writer.add_uint32(f"herd.image_{key}_id", config[name])
    if experts and text.get("moe_layers") is not None:
        writer.add_array("herd.moe_layers", text["moe_layers"])


def write(model, out, mmproj, kind, plain, split=0):
    config = json.loads((model / "config.json").read_text())
    writer = gguf.GGUFWriter(out, "llama4", split_max_size=split)
    add_text_keys(writer, config, kind, plain)
    text = config.get("text_config", config)
    if (model / "tokenizer.json").exists():
        add_words(writer, model / "tokenizer.json")
    eos = text["eos_token_id"]
    writer.add_bos_token_id(text["bos_token_id"])
    writer.add_eos_token_id(eos[0] if isinstance(eos, list) else eos)
    writer.add_pad_token_id(text["pad_token_id"])
    vision_writer = None
    if mmproj:
        vision = config["vision_config"]
        vision_writer = gguf.GGUFWriter(mmproj, "clip")
        vision_writer.add_string("general.type", "mmproj")
        vision_writer.add_bool("clip.has_vision_encoder", True)
        vision_writer.add_string("clip.projector_type", "llama4")
        vision_writer.add_bool("clip.use_gelu", True)
        for key, name in (("image_size", "image_size"), ("patch_size", "patch_size"),
                          ("embedding_length", "hidden_size"), ("feed_forward_length", "intermediate_size"),
                          ("block_count", "num_hidden_layers"), ("attention.head_count", "num_attention_heads")):
            vision_writer.add_uint32(f"clip.vision.{key}", vision[name])
        vision_writer.add_float32("clip.vision.attention.layer_norm_epsilon", vision["norm_eps"])
        vision_writer.add_uint32("clip.vision.projection_dim", text["hidden_size"])
        vision_writer.add_uint32("clip.vision.projector.scale_factor", round(1 / vision["pixel_shuffle_ratio"]))
        vision_writer.add_array("clip.vision.image_mean", [0.5] * 3)
        vision_writer.add_array("clip.vision.image_std", [0.5] * 3)
    divisors = rope_divisors(text)
    if divisors is not None:
        writer.add_tensor("rope_freqs.weight", divisors.numpy().astype(np.float32))
    for name, tensor in tensors_of(model).items():
        for file, gguf_name, part in gguf_tensors(name, tensor):
            to = writer if file == "text" else vision_writer
            if to:
                add(to, gguf_name, part, kind)
    for each in filter(None, (writer, vision_writer)):
        each.write_header_to_file()
        each.write_kv_data_to_file()
        each.write_tensors_to_file()
        each.close()


def write_test_data():
    out, models = ROOT / "tests/data/gguf", ROOT / "tests/data/models"
    # In the types of the originals, so that no number changes.
    for name, kind in (("scout", "bf16"), ("maverick", "f16"), ("guard", "bf16"), ("vision", "bf16")):
        (out / name).mkdir(parents=True, exist_ok=True)
        write(models / name, out / name / f"{name}.gguf", out / name / f"mmproj-{name}.gguf", kind, False, 150_000)
    writer = gguf.GGUFWriter(out / "words.gguf", "llama4")
    add_words(writer, ROOT / "models/cria/tokenizer.json")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=pathlib.Path)
    parser.add_argument("out", nargs="?")
    parser.add_argument("--mmproj")
    parser.add_argument("--type", default="f32", choices=FILE_TYPES)
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    if args.model is None:
        write_test_data()
    else:
        write(args.model, args.out, args.mmproj, args.type, args.plain)


if __name__ == "__main__":
    main()
