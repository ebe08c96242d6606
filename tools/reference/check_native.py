"""The same independent check for Meta's native files: merges the shards by the naming table, then
checks the numbers.

Usage: check_native.py [NAME ...]
"""

import json
import sys

import torch
from safetensors import safe_open

from check_spec import MODELS, TOLERANCE, Model, compare

FIRST_PATCH = 92  # <|patch|> among the special tokens
ROW_SPLIT, COLUMN_SPLIT = 0, 1


class NativeModel(Model):
    """The specification's forward over consolidated.NN.pth; only where weights and settings come
    from differs.
    """

    def __init__(self, directory):
        params = json.loads((directory / "params.json").read_text())
        vision, moe = params["vision_args"], params["moe_args"]
        self.prefix = "language_model."
        self.c = {
            "num_hidden_layers": params["n_layers"],
            "head_dim": params["head_dim"],
            "num_experts_per_tok": moe["top_k"],
            "rms_norm_eps": params["norm_eps"],
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": params["rope_theta"],
                "factor": params["rope_scaling_factor"],
                "low_freq_factor": 1.0,
                "high_freq_factor": params["rope_high_freq_factor"],
                "original_max_position_embeddings": 8192,
            },
        } | {
            k: params[k]
            for k in (
                "use_qk_norm",
                "attention_chunk_size",
                "attn_temperature_tuning",
                "floor_scale",
                "attn_scale",
            )
        }
        self.v = {
            "image_size": vision["image_size"]["height"],
            "patch_size": vision["patch_size"]["height"],
            "hidden_size": vision["dim"],
            "num_hidden_layers": vision["n_layers"],
            "num_attention_heads": vision["n_heads"],
            "norm_eps": 1e-5,
            "rope_theta": 10000.0,
        }
        layers = range(params["n_layers"])
        self.ropes = [int((l + 1) % params["nope_layer_interval"] != 0) for l in layers]
        self.moe = [l for l in layers if (l + 1) % moe["interleave_moe_layer_step"] == 0]
        self.patch = len((directory / "tokenizer.model").read_text().splitlines()) + FIRST_PATCH
        self.inverse = self.frequencies()
        paths = sorted(directory.glob("consolidated.*.pth"))
        self.shards = [torch.load(path, weights_only=False) for path in paths]
        self.queries = params["n_heads"] * params["head_dim"] // len(paths)
        self.keys = params["n_kv_heads"] * params["head_dim"] // len(paths)
        self.experts = moe["num_experts"]
        self.tensors = {}
        self.merge_all()

    def parts(self, name):
        return [shard[name] for shard in self.shards]

    def same(self, name):
        first, *others = self.parts(name)
        assert all(torch.equal(first, other) for other in others), name
        return first

    def merge_all(self):
        t = self.tensors
        t["language_model.model.embed_tokens.weight"] = torch.cat(
            self.parts("tok_embeddings.weight")
        )
        t["language_model.lm_head.weight"] = torch.cat(self.parts("output.weight"))
        t["language_model.model.norm.weight"] = self.same("norm.weight")
        for l in range(self.c["num_hidden_layers"]):
            self.merge_layer(f"layers.{l}.", f"language_model.model.layers.{l}.", l in self.moe)
        self.merge_vision()

    def merge_layer(self, native, hf, moe):
        t, feed = self.tensors, native + "feed_forward."
        q, k, v = zip(
            *(
                w.split([self.queries, self.keys, self.keys])
                for w in self.parts(native + "attention.wqkv.weight")
            )
        )
        for name, rows in (("q", q), ("k", k), ("v", v)):
            t[f"{hf}self_attn.{name}_proj.weight"] = torch.cat(rows)
        t[hf + "self_attn.o_proj.weight"] = torch.cat(
            self.parts(native + "attention.wo.weight"), dim=1
        )
        t[hf + "input_layernorm.weight"] = self.same(native + "attention.wqkv.layer_norm_weight")
        if not moe:
            gate, up = zip(*(w.chunk(2) for w in self.parts(feed + "mlp.fc1_weight")))
            t[hf + "feed_forward.gate_proj.weight"] = torch.cat(gate)
            t[hf + "feed_forward.up_proj.weight"] = torch.cat(up)
            t[hf + "feed_forward.down_proj.weight"] = torch.cat(
                self.parts(feed + "mlp.fc2_weight"), dim=1
            )
            t[hf + "post_attention_layernorm.weight"] = self.same(feed + "mlp.layer_norm_weight")
            return
        t[hf + "post_attention_layernorm.weight"] = self.same(feed + "norm.weight")
        t[hf + "feed_forward.router.weight"] = self.same(feed + "router_DE").T

        def experts(name, dim):
            return torch.cat(
                [
                    w.view(self.experts, -1, w.shape[-1])
                    for w in self.parts(feed + "experts." + name)
                ],
                dim=dim,
            )

        gate, up = experts("moe_w_in_eD_F", 2), experts("moe_w_swiglu_eD_F", 2)
        t[hf + "feed_forward.experts.gate_up_proj"] = torch.cat([gate, up], dim=2)
        t[hf + "feed_forward.experts.down_proj"] = experts("moe_w_out_eF_D", 1)
        shared = hf + "feed_forward.shared_expert."
        t[shared + "gate_proj.weight"] = torch.cat(self.parts(feed + "w_in_shared_FD.weight"))
        t[shared + "up_proj.weight"] = torch.cat(self.parts(feed + "w_swiglu_FD.weight"))
        t[shared + "down_proj.weight"] = torch.cat(
            self.parts(feed + "w_out_shared_DF.weight"), dim=1
        )

    def merge_vision(self):
        t, native, hf = self.tensors, "vision_embeddings.vision_encoder.", "vision_model."
        t[hf + "patch_embedding.linear.weight"] = torch.cat(
            self.parts(native + "conv1._linear.weight")
        )
        for name in ("class_embedding", "positional_embedding_vlm"):
            t[hf + name] = self.same(native + name)
        pairs = [("ln_pre.", "layernorm_pre.", None), ("ln_post.", "layernorm_post.", None)]
        for l in range(self.v["num_hidden_layers"]):
            a, b = f"transformer.resblocks.{l}.", f"model.layers.{l}."
            pairs += [(f"{a}attn.w{n}.", f"{b}self_attn.{n}_proj.", ROW_SPLIT) for n in "qkv"]
            pairs += [
                (a + "attn.wo.", b + "self_attn.o_proj.", COLUMN_SPLIT),
                (a + "mlp.c_fc.", b + "mlp.fc1.", ROW_SPLIT),
                (a + "mlp.c_proj.", b + "mlp.fc2.", COLUMN_SPLIT),
                (a + "ln_1.", b + "input_layernorm.", None),
                (a + "ln_2.", b + "post_attention_layernorm.", None),
            ]
        for source, target, split in pairs:
            for part in ("weight", "bias"):
                whole = split is None or (split == COLUMN_SPLIT and part == "bias")
                name = native + source + part
                t[hf + target + part] = (
                    self.same(name) if whole else torch.cat(self.parts(name), dim=split)
                )
        adapter = "vision_embeddings.vision_adapter.mlp."
        t[hf + "vision_adapter.mlp.fc1.weight"] = torch.cat(self.parts(adapter + "c_fc.weight"))
        t[hf + "vision_adapter.mlp.fc2.weight"] = torch.cat(
            self.parts(adapter + "c_proj.weight"), dim=1
        )
        t["multi_modal_projector.linear_1.weight"] = torch.cat(
            self.parts("vision_projection.weight")
        )


def main():
    failed = False
    for directory in sorted(MODELS / name for name in sys.argv[1:]) or sorted(MODELS.iterdir()):
        if not (directory / "params.json").exists():
            continue
        with safe_open(directory / "expected.safetensors", "pt") as file:
            expected = {name: file.get_tensor(name) for name in file.keys()}
        model, worst = NativeModel(directory), {}
        for case in sorted({name.split(".")[0] + "." for name in expected}):
            compare(model, expected, case, worst)
        bad = max(worst.values()) > TOLERANCE
        failed |= bad
        print(
            directory.name,
            "DIFFERS" if bad else "agrees",
            {k: f"{v:.1e}" for k, v in worst.items()},
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
