"""Meta's native checkpoint: consolidated.NN.pth shards, params.json, tokenizer.model.

Names and slicing follow the published conversion code; see the table in the format notes of the
project.
"""

import base64
import collections
import io
import json

import torch

SHARDS = 2
MULTIPLE_OF = 16
FFN_DIM_MULTIPLIER = 1.2


def expert_width(dim):
    """Width of an expert by the formula of the native code (ffn_exp 4, capacity factor 1, one
    shared expert).
    """
    hidden = int(int(FFN_DIM_MULTIPLIER * int(2 * 4 * dim / 3)) / 2)
    return -(-hidden // MULTIPLE_OF) * MULTIPLE_OF


def dense_width(dim):
    """Width of a dense feed-forward block by the formula of the native code."""
    return -(-int(FFN_DIM_MULTIPLIER * int(2 * 4 * dim / 3)) // MULTIPLE_OF) * MULTIPLE_OF


def params(spec):
    """params.json."""
    t, v = spec.text, spec.vision
    assert t["intermediate_size"] == expert_width(t["hidden_size"])
    assert t["intermediate_size_mlp"] == dense_width(t["hidden_size"])
    return {
        "dim": t["hidden_size"],
        "n_layers": t["num_hidden_layers"],
        "n_heads": t["num_attention_heads"],
        "n_kv_heads": t["num_key_value_heads"],
        "head_dim": t["head_dim"],
        "vocab_size": t["vocab_size"],
        "ffn_dim_multiplier": FFN_DIM_MULTIPLIER,
        "ffn_exp": 4.0,
        "multiple_of": MULTIPLE_OF,
        "norm_eps": t["rms_norm_eps"],
        "rope_theta": t["rope_parameters"]["rope_theta"],
        "use_scaled_rope": True,
        "rope_scaling_factor": t["rope_parameters"]["factor"],
        "rope_high_freq_factor": t["rope_parameters"]["high_freq_factor"],
        "attention_chunk_size": t["attention_chunk_size"],
        "nope_layer_interval": 4,
        "use_qk_norm": t["use_qk_norm"],
        "attn_temperature_tuning": t["attn_temperature_tuning"],
        "floor_scale": t["floor_scale"],
        "attn_scale": t["attn_scale"],
        "moe_args": {
            "num_experts": t["num_local_experts"],
            "capacity_factor": 1.0,
            "auto_scale_F": True,
            "top_k": 1,
            "interleave_moe_layer_step": t["interleave_moe_layer_step"],
        },
        "vision_args": {
            "image_size": {"height": v["image_size"], "width": v["image_size"]},
            "patch_size": {"height": v["patch_size"], "width": v["patch_size"]},
            "dim": v["hidden_size"],
            "n_layers": v["num_hidden_layers"],
            "n_heads": v["num_attention_heads"],
            "mlp_ratio": 4.0,
            "output_dim": v["vision_output_dim"],
            "pixel_shuffle_ratio": v["pixel_shuffle_ratio"],
        },
    }


class Slicer:
    """Takes Hugging Face tensors apart for one shard."""

    def __init__(self, tensors, rank):
        self.tensors, self.rank = tensors, rank

    def whole(self, name):
        return self.tensors[name]

    def rows(self, name):
        return self.tensors[name].chunk(SHARDS, dim=0)[self.rank]

    def columns(self, name):
        return self.tensors[name].chunk(SHARDS, dim=1)[self.rank]


def text_layer(s, index, moe):
    """Native entries of one decoder layer."""
    hf, out = f"language_model.model.layers.{index}.", {}
    qkv = [s.rows(f"{hf}self_attn.{part}_proj.weight") for part in "qkv"]
    out["attention.wqkv.weight"] = torch.cat(qkv)
    out["attention.wqkv.layer_norm_weight"] = s.whole(hf + "input_layernorm.weight")
    out["attention.wo.weight"] = s.columns(hf + "self_attn.o_proj.weight")
    norm = s.whole(hf + "post_attention_layernorm.weight")
    if moe:
        experts = s.whole(hf + "feed_forward.experts.gate_up_proj")
        down = s.whole(hf + "feed_forward.experts.down_proj")
        gate, up = (half.chunk(SHARDS, dim=-1)[s.rank] for half in experts.chunk(2, dim=-1))
        down = down.chunk(SHARDS, dim=1)[s.rank]
        shared = hf + "feed_forward.shared_expert."
        out["feed_forward.norm.weight"] = norm
        out["feed_forward.router_DE"] = s.whole(hf + "feed_forward.router.weight").t()
        out["feed_forward.experts.moe_w_in_eD_F"] = gate.flatten(0, 1)
        out["feed_forward.experts.moe_w_swiglu_eD_F"] = up.flatten(0, 1)
        out["feed_forward.experts.moe_w_out_eF_D"] = down.flatten(0, 1)
        out["feed_forward.w_in_shared_FD.weight"] = s.rows(shared + "gate_proj.weight")
        out["feed_forward.w_swiglu_FD.weight"] = s.rows(shared + "up_proj.weight")
        out["feed_forward.w_out_shared_DF.weight"] = s.columns(shared + "down_proj.weight")
        # Training statistics: to be ignored.
        width, count = out["feed_forward.router_DE"].shape
        out["feed_forward.global_gate_stats_3E"] = torch.ones(3, count)
        out["feed_forward.running_gate_stats_3E"] = torch.ones(3, count)
        out["feed_forward.expert_activation_DE"] = torch.ones(width, count)
    else:
        mlp = hf + "feed_forward."
        out["feed_forward.mlp.fc1_weight"] = torch.cat(
            [s.rows(f"{mlp}{part}_proj.weight") for part in ("gate", "up")]
        )
        out["feed_forward.mlp.fc2_weight"] = s.columns(mlp + "down_proj.weight")
        out["feed_forward.mlp.layer_norm_weight"] = norm
        out["feed_forward.mlp._extra_state"] = extra_state()
    out["attention.wqkv._extra_state"] = extra_state()
    out["attention.wo._extra_state"] = extra_state()
    return {f"layers.{index}.{name}": value for name, value in out.items()}


def extra_state():
    """What Transformer Engine modules leave in a state dict: a byte stream, to be ignored."""
    return io.BytesIO(b"\x80\x02}q\x00.")


def vision_entries(s, layers):
    """Native entries of the vision tower, adapter and projection."""
    out = {}
    encoder, hf = "vision_embeddings.vision_encoder.", "vision_model."
    out[encoder + "conv1._linear.weight"] = s.rows(hf + "patch_embedding.linear.weight")
    for name in ("class_embedding", "positional_embedding_vlm"):
        out[encoder + name] = s.whole(hf + name)
    for part in ("weight", "bias"):
        out[f"{encoder}ln_pre.{part}"] = s.whole(f"{hf}layernorm_pre.{part}")
        out[f"{encoder}ln_post.{part}"] = s.whole(f"{hf}layernorm_post.{part}")
    for index in range(layers):
        block, source = f"{encoder}transformer.resblocks.{index}.", f"{hf}model.layers.{index}."
        for name in "qkv":
            for part in ("weight", "bias"):
                out[f"{block}attn.w{name}.{part}"] = s.rows(f"{source}self_attn.{name}_proj.{part}")
        out[block + "attn.wo.weight"] = s.columns(source + "self_attn.o_proj.weight")
        out[block + "attn.wo.bias"] = s.whole(source + "self_attn.o_proj.bias")
        out[block + "mlp.c_fc.weight"] = s.rows(source + "mlp.fc1.weight")
        out[block + "mlp.c_fc.bias"] = s.rows(source + "mlp.fc1.bias")
        out[block + "mlp.c_proj.weight"] = s.columns(source + "mlp.fc2.weight")
        out[block + "mlp.c_proj.bias"] = s.whole(source + "mlp.fc2.bias")
        for part in ("weight", "bias"):
            out[f"{block}ln_1.{part}"] = s.whole(f"{source}input_layernorm.{part}")
            out[f"{block}ln_2.{part}"] = s.whole(f"{source}post_attention_layernorm.{part}")
    adapter = "vision_embeddings.vision_adapter.mlp."
    out[adapter + "c_fc.weight"] = s.rows(hf + "vision_adapter.mlp.fc1.weight")
    out[adapter + "c_proj.weight"] = s.columns(hf + "vision_adapter.mlp.fc2.weight")
    out["vision_projection.weight"] = s.rows("multi_modal_projector.linear_1.weight")
    return out


def shard(spec, tensors, rank):
    """One consolidated file's dictionary."""
    s, step = Slicer(tensors, rank), spec.text["interleave_moe_layer_step"]
    out = {
        "tok_embeddings.weight": s.rows("language_model.model.embed_tokens.weight"),
        "output.weight": s.rows("language_model.lm_head.weight"),
        "norm.weight": s.whole("language_model.model.norm.weight"),
        "rope.freqs": torch.ones(spec.text["head_dim"] // 2),
    }
    for index in range(spec.text["num_hidden_layers"]):
        out |= text_layer(s, index, moe=(index + 1) % step == 0)
    out |= vision_entries(s, spec.vision["num_hidden_layers"])
    return {
        k: v.clone(memory_format=torch.contiguous_format) if torch.is_tensor(v) else v
        for k, v in out.items()
    }


def to_native_files(spec, tensors, directory):
    """Writes the directory. The first shard is a plain dict, the second ordered: both occur."""
    for rank in range(SHARDS):
        entries = shard(spec, tensors, rank)
        kind = collections.OrderedDict if rank else dict
        torch.save(kind(entries), directory / f"consolidated.{rank:02}.pth")
    (directory / "params.json").write_text(json.dumps(params(spec), indent=2) + "\n")
    # A vocabulary of single bytes in the order of their values; special tokens follow at their
    # fixed places.
    lines = [f"{base64.b64encode(bytes([byte])).decode()} {byte}\n" for byte in range(256)]
    (directory / "tokenizer.model").write_text("".join(lines))
