"""Does herd learn faster than PyTorch? The same Llama 4 shape, the same tokens in a step, taking turns.

  .venv/bin/python bench/train_peer.py [--bench build/train_bench] [--rounds 5] [--threads 2] [--shape cria]
                                       [--no-compile]

Each round runs one measurement of train_bench and then, of each PyTorch variant, some steps: forward, backward and
AdamW. The medians over the rounds count. PyTorch's model is written below as somebody who wants speed would: fused
attention with a mask for the chunks, tokens sorted by expert, each expert's rows multiplied once. Hugging Face's own
Llama 4 runs every expert on every token, so it is left out: it would be the slower opponent.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

import torch
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHAPES = {
    "cria": dict(width=192, dense_width=416, expert_width=208, vocabulary=2048),
    "t2": dict(width=256, dense_width=1024, expert_width=512, vocabulary=4096),
}
SHAPES = {name: dict(shape, layers=8, heads=4, head_size=64, experts=8) for name, shape in SHAPES.items()}
LENGTH, CHUNK, KV_HEADS = 512, 256, 2


def norm(x):
    return x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-5).to(x.dtype)


def rotate(x, cos, sin):
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class FeedForward(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, -1)
        return self.down(F.silu(gate) * up)


class Experts(nn.Module):
    def __init__(self, width, hidden, experts):
        super().__init__()
        self.router = nn.Linear(width, experts, bias=False)
        self.shared = FeedForward(width, hidden)
        self.gate_up = nn.Parameter(torch.randn(experts, width, 2 * hidden) * width**-0.5)
        self.down = nn.Parameter(torch.randn(experts, hidden, width) * hidden**-0.5)

    def forward(self, x):
        score, expert = self.router(x).max(-1)
        order = torch.argsort(expert, stable=True)
        rows = (x * torch.sigmoid(score)[:, None])[order]
        counts = torch.bincount(expert, minlength=len(self.down)).tolist()
        out = []
        for e, part in enumerate(rows.split(counts)):
            gate, up = (part @ self.gate_up[e]).chunk(2, -1)
            out.append((F.silu(gate) * up) @ self.down[e])
        return self.shared(x).index_add(0, order, torch.cat(out))


class Attention(nn.Module):
    def __init__(self, shape, rotates):
        super().__init__()
        self.heads, self.d, self.rotates = shape["heads"], shape["head_size"], rotates
        self.qkv = nn.Linear(shape["width"], (self.heads + 2 * KV_HEADS) * self.d, bias=False)
        self.out = nn.Linear(self.heads * self.d, shape["width"], bias=False)

    def forward(self, x, cos, sin, mask):
        batch = x.shape[0] // LENGTH
        q, k, v = self.qkv(x).view(batch, LENGTH, -1, self.d).transpose(1, 2).split([self.heads, KV_HEADS, KV_HEADS], 1)
        if self.rotates:
            q, k = norm(rotate(q, cos, sin)), norm(rotate(k, cos, sin))
            o = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        else:
            o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.out(o.transpose(1, 2).reshape(x.shape[0], -1))


class Block(nn.Module):
    def __init__(self, shape, layer):
        super().__init__()
        width = shape["width"]
        self.attention_norm, self.feed_norm = nn.RMSNorm(width, 1e-5), nn.RMSNorm(width, 1e-5)
        self.attention = Attention(shape, (layer + 1) % 4 != 0)
        moe = shape["experts"] > 0 and layer % 2 == 1
        experts = shape["experts"]
        self.feed = Experts(width, shape["expert_width"], experts) if moe else FeedForward(width, shape["dense_width"])

    def forward(self, x, cos, sin, mask):
        x = x + self.attention(self.attention_norm(x), cos, sin, mask)
        return x + self.feed(self.feed_norm(x))


class Llama4(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.embed = nn.Embedding(shape["vocabulary"], shape["width"])
        self.blocks = nn.ModuleList(Block(shape, layer) for layer in range(shape["layers"]))
        self.norm = nn.RMSNorm(shape["width"], 1e-5)
        self.head = nn.Linear(shape["width"], shape["vocabulary"], bias=False)

    def forward(self, tokens, targets, cos, sin, mask):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return F.cross_entropy(self.head(self.norm(x)).float(), targets)


class Peer:
    """One PyTorch variant: model, optimizer, and a step to be timed."""

    def __init__(self, shape, tokens, bf16, compiles):
        torch.manual_seed(0)
        self.bf16 = bf16
        model = Llama4(shape)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        position = torch.arange(LENGTH)
        angle = position[:, None] / 500000 ** (torch.arange(0, shape["head_size"], 2) / shape["head_size"])
        same_chunk = position[:, None] // CHUNK == position[None] // CHUNK
        dtype = torch.bfloat16 if bf16 else torch.float32
        self.rest = (angle.cos().to(dtype), angle.sin().to(dtype), same_chunk & (position[None] <= position[:, None]))
        self.tokens = torch.randint(shape["vocabulary"], (tokens,))
        self.model = torch.compile(model) if compiles else model

    def step(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = self.model(self.tokens, self.tokens.roll(-1), *self.rest)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def tokens_per_s(self, steps):
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        return steps * len(self.tokens) / (time.perf_counter() - start)


def herd_tokens_per_s(options, shape, bf16):
    command = [options.bench, f"--tokens={options.tokens}", f"--threads={options.threads}", f"--steps={options.steps}"]
    command += [f"--bfloat16={int(bf16)}"]  # float32 where the processor has no such instruction
    command += [f"--{name}={value}" for name, value in shape.items()]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["tokens_per_s"]


def compare(options, shape, what):
    peers = {}
    for bf16 in (False, True):
        for compiles in (False, True) if options.compile else (False,):
            name = ("bf16" if bf16 else "f32") + (" compiled" if compiles else "")
            try:
                peer = Peer(shape, options.tokens, bf16, compiles)
                peer.tokens_per_s(2)  # compiles, warms up
                peers[name] = peer
            except Exception as error:  # a variant that PyTorch cannot run is named and left out
                print(json.dumps({"shape": what, "pytorch": name, "failed": str(error).splitlines()[0][:200]}))
    rates = {name: [] for name in ["herd f32", "herd bf16", *peers]}
    for _ in range(options.rounds):
        rates["herd f32"].append(herd_tokens_per_s(options, shape, bf16=False))
        rates["herd bf16"].append(herd_tokens_per_s(options, shape, bf16=True))
        for name, peer in peers.items():
            rates[name].append(peer.tokens_per_s(options.steps))
    median = {name: statistics.median(values) for name, values in rates.items()}
    best = max(peers, key=median.get)
    ratios = {name: round(median[name] / median[best], 2) for name in ("herd f32", "herd bf16")}
    print(json.dumps({"shape": what, "tokens_per_s": {n: round(v) for n, v in median.items()}, "best_pytorch": best,
                      "over_best_pytorch": ratios}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=str(ROOT / "build/train_bench"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--shape", choices=SHAPES, default="cria")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape = SHAPES[options.shape]
    compare(options, {**shape, "experts": 0}, f"{options.shape}, dense")
    compare(options, shape, f"{options.shape}, {shape['experts']} experts in every second layer")


if __name__ == "__main__":
    main()
