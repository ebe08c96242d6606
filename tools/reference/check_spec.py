"""A second, independent computation of every expected number: plain tensors, float64, straight from
the files.

Shares no code with the transformers library or with the writers, so a mistake would have to be made
twice. Prints the largest differences, relative to each tensor's range; fails above the tolerance
herd itself is held to.

Usage: check_spec.py [NAME or directory ...]
"""

import json
import math
import pathlib
import sys

import torch
from safetensors import safe_open

MODELS = pathlib.Path(__file__).resolve().parents[2] / "tests/data/models"
TOLERANCE = 2e-5


def read_tensors(directory):
    """name -> tensor over all safetensors files but the expected ones, without an exporter's extra
    prefix.
    """
    tensors = {}
    for path in sorted(directory.glob("model*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                tensors[name] = file.get_tensor(name)
    if all(name.startswith("model.") for name in tensors) and any(
        "language_model" in name for name in tensors
    ):
        tensors = {name.removeprefix("model."): value for name, value in tensors.items()}
    return tensors


class Model:
    """The forward pass of the specification. Weights are fetched by name and widened to float64."""

    def __init__(self, directory):
        self.tensors = read_tensors(directory)
        config = json.loads((directory / "config.json").read_text())
        self.c = config.get("text_config", config)
        self.v = config.get("vision_config")
        self.patch = config.get("image_token_index")
        self.prefix = "language_model." if "text_config" in config else ""
        c, layers = self.c, range(self.c["num_hidden_layers"])
        interval, step = c.get("no_rope_layer_interval", 4), c["interleave_moe_layer_step"]
        self.ropes = c.get("no_rope_layers") or [int((l + 1) % interval != 0) for l in layers]
        moe = c.get("moe_layers")
        self.moe = moe if moe is not None else [l for l in layers if (l + 1) % step == 0]
        self.inverse = self.frequencies()

    def weight(self, name):
        """A [out, in] (or other) weight in float64, dequantized where a scale lies beside it."""
        value = self.tensors[name].double()
        scale = self.tensors.get(name + "_scale")
        return value if scale is None else value * scale.double()

    def frequencies(self):
        """Radians per position of every pair of a head, [hd/2], rounded to float32 like the
        library's.
        """
        rope = self.c.get("rope_parameters") or (self.c.get("rope_scaling") or {}) | {
            "rope_theta": self.c["rope_theta"]
        }
        dim = self.c["head_dim"]
        out = []
        for pair in range(dim // 2):
            f = rope["rope_theta"] ** (-2 * pair / dim)
            if rope.get("rope_type", "default") == "llama3":
                original, low, high = (
                    rope[k]
                    for k in (
                        "original_max_position_embeddings",
                        "low_freq_factor",
                        "high_freq_factor",
                    )
                )
                length = 2 * math.pi / f
                if length > original / low:
                    f /= rope["factor"]
                elif length >= original / high:
                    smooth = (original / length - low) / (high - low)
                    f = (1 - smooth) * f / rope["factor"] + smooth * f
            out.append(f)
        return torch.tensor(out).double()

    def rms(self, x, name=None):
        y = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.c["rms_norm_eps"])
        return y if name is None else y * self.weight(name)

    def attention(self, x, l):
        c, base = self.c, f"{self.prefix}model.layers.{l}.self_attn."
        count, dim = x.shape[0], c["head_dim"]
        q = (x @ self.weight(base + "q_proj.weight").T).view(count, -1, dim)
        k = (x @ self.weight(base + "k_proj.weight").T).view(count, -1, dim)
        v = (x @ self.weight(base + "v_proj.weight").T).view(count, -1, dim)
        position = torch.arange(count)
        allowed = position[None, :] <= position[:, None]
        if self.ropes[l]:
            q, k = (rotate(z, position[:, None] * self.inverse[None, :]) for z in (q, k))
            if c["use_qk_norm"]:
                q, k = self.rms(q), self.rms(k)
            if c["attention_chunk_size"]:
                chunk = position // c["attention_chunk_size"]
                allowed &= chunk[None, :] == chunk[:, None]
        elif c["attn_temperature_tuning"]:
            step = ((position + 1) // c["floor_scale"]).double()
            q = q * (1 + c["attn_scale"] * torch.log(step + 1))[:, None, None]
        group = q.shape[1] // k.shape[1]
        out = torch.empty_like(q)
        for head in range(q.shape[1]):
            score = q[:, head] @ k[:, head // group].T / math.sqrt(dim)
            out[:, head] = score.masked_fill(~allowed, -math.inf).softmax(-1) @ v[:, head // group]
        return out.flatten(1) @ self.weight(base + "o_proj.weight").T

    def mlp(self, x, base):
        gate, up, down = (
            self.weight(f"{base}{name}_proj.weight") for name in ("gate", "up", "down")
        )
        return (silu(x @ gate.T) * (x @ up.T)) @ down.T

    def expert(self, x, base, e):
        if base + "experts.gate_up_proj" in self.tensors:
            gate, up = self.tensors[base + "experts.gate_up_proj"][e].double().chunk(2, dim=-1)
            return (silu(x @ gate) * (x @ up)) @ self.tensors[base + "experts.down_proj"][
                e
            ].double()
        return self.mlp(x, f"{base}experts.{e}.")

    def feed_forward(self, x, l, seen):
        base = f"{self.prefix}model.layers.{l}.feed_forward."
        if l not in self.moe:
            return self.mlp(x, base)
        logits = x @ self.weight(base + "router.weight").T
        best = logits.argsort(dim=-1, descending=True)[:, : self.c["num_experts_per_tok"]]
        seen[f"router.{l}"], seen[f"experts.{l}"] = logits, best
        out = self.mlp(x, base + "shared_expert.")
        for token in range(x.shape[0]):
            for e in best[token].tolist():
                out[token] += self.expert(x[token] * torch.sigmoid(logits[token, e]), base, e)
        return out

    def decode(self, x):
        """embeddings [T, D] -> everything that expected.safetensors names."""
        seen = {"embed": x}
        for l in range(self.c["num_hidden_layers"]):
            base = f"{self.prefix}model.layers.{l}."
            x = x + self.attention(self.rms(x, base + "input_layernorm.weight"), l)
            x = x + self.feed_forward(
                self.rms(x, base + "post_attention_layernorm.weight"), l, seen
            )
            seen[f"hidden.{l}"] = x
        x = self.rms(x, f"{self.prefix}model.norm.weight")
        seen["logits"] = x @ self.weight(f"{self.prefix}lm_head.weight").T
        return seen

    def embed(self, tokens):
        return self.weight(f"{self.prefix}model.embed_tokens.weight")[tokens]

    def layer_norm(self, x, name):
        centred = x - x.mean(-1, keepdim=True)
        y = centred * torch.rsqrt((centred * centred).mean(-1, keepdim=True) + self.v["norm_eps"])
        return y * self.weight(name + ".weight") + self.weight(name + ".bias")

    def tile(self, pixels):
        """One tile [3, S, S] -> features [tokens, vision_output_dim]."""
        v, side, patch = self.v, self.v["image_size"], self.v["patch_size"]
        grid, width, heads = side // patch, v["hidden_size"], v["num_attention_heads"]
        dim = width // heads
        x = (
            pixels.double()
            .view(3, grid, patch, grid, patch)
            .permute(1, 3, 0, 2, 4)
            .reshape(grid * grid, -1)
        )
        x = x @ self.weight("vision_model.patch_embedding.linear.weight").T
        x = torch.cat([x, self.weight("vision_model.class_embedding")[None]])
        x = x + self.weight("vision_model.positional_embedding_vlm")
        x = self.layer_norm(x, "vision_model.layernorm_pre")
        theta = (v.get("rope_parameters") or v)["rope_theta"]
        omega = torch.tensor([theta ** (-2 * j / (dim // 2)) for j in range(dim // 4)]).double()
        index = torch.arange(grid * grid)
        angle = torch.cat(
            [(index % grid + 1)[:, None] * omega, (index // grid + 1)[:, None] * omega], dim=1
        )
        angle = torch.cat([angle, torch.zeros(1, dim // 2)])
        for l in range(v["num_hidden_layers"]):
            base = f"vision_model.model.layers.{l}."
            y = self.layer_norm(x, base + "input_layernorm")
            q, k, val = (
                self.affine(y, f"{base}self_attn.{n}_proj").view(-1, heads, dim) for n in "qkv"
            )
            q, k = rotate(q, angle), rotate(k, angle)
            score = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(dim)
            mixed = torch.einsum("hqk,khd->qhd", score.softmax(-1), val).flatten(1)
            x = x + self.affine(mixed, base + "self_attn.o_proj")
            y = self.affine(self.layer_norm(x, base + "post_attention_layernorm"), base + "mlp.fc1")
            x = x + self.affine(gelu(y), base + "mlp.fc2")
        x = self.layer_norm(x, "vision_model.layernorm_post")[:-1].view(grid, grid, width)
        x = torch.cat([x[0::2, 0::2], x[0::2, 1::2], x[1::2, 0::2], x[1::2, 1::2]], dim=-1).flatten(
            0, 1
        )
        x = gelu(x @ self.weight("vision_model.vision_adapter.mlp.fc1.weight").T)
        return gelu(x @ self.weight("vision_model.vision_adapter.mlp.fc2.weight").T)

    def affine(self, x, name):
        return x @ self.weight(name + ".weight").T + self.weight(name + ".bias")


def rotate(z, angle):
    """Turns pair (2i, 2i+1) of every head of z [T, H, hd] by angle [T, hd/2]."""
    a, b = z[..., 0::2], z[..., 1::2]
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(2)


def silu(x):
    return x / (1 + torch.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def compare(model, expected, case, worst):
    """Checks one case; notes the largest relative difference of every kind of tensor in `worst`."""
    want = {k.removeprefix(case): v for k, v in expected.items() if k.startswith(case)}
    x = model.embed(want["tokens"])
    if "pixels" in want:
        vision = torch.cat([model.tile(t) for t in want["pixels"]])
        projected = vision @ model.weight("multi_modal_projector.linear_1.weight").T
        x[want["tokens"] == model.patch] = projected
    seen = model.decode(x)
    if "pixels" in want:
        seen |= {"vision": vision, "projected": projected}
    for name, got in seen.items():
        if "rows" in want and (name == "logits" or name.startswith("hidden.")):
            got = got[want["rows"]]
        if got.dtype == torch.int64:
            assert torch.equal(got, want[name]), f"{case}{name}: other experts"
            continue
        assert got.shape == want[name].shape, (name, got.shape, want[name].shape)
        span = (want[name].max() - want[name].min()).item()
        kind = name.split(".")[0]
        worst[kind] = max(worst.get(kind, 0.0), (got - want[name]).abs().max().item() / span)
    whole = torch.cat([x, model.embed(want["greedy"])])
    greedy = model.decode(whole)["logits"][len(x) - 1 : -1].argmax(-1)
    assert torch.equal(greedy, want["greedy"]), f"{case}greedy: other tokens"


def main():
    failed = False
    for directory in sorted(MODELS / name for name in sys.argv[1:]) or sorted(MODELS.iterdir()):
        if not (directory / "config.json").exists():
            continue  # native checkpoints: same weights in other files, read by nothing here
        with safe_open(directory / "expected.safetensors", "pt") as file:
            expected = {name: file.get_tensor(name) for name in file.keys()}
        model, worst = Model(directory), {}
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
