"""Random weights of a healthy size, each tensor drawn from its own generator so that order never
matters.
"""

import math
import zlib

import torch

# Multiples of 1/sqrt(fan_in), longest matching suffix wins. Above 1 where a plain 1 would let the
# signal fade: queries and keys (or attention is flat and hides mask and position errors), routers
# (or scores nearly tie), what follows an activation that shrinks its input.
GAINS = {
    "q_proj.weight": 1.5,
    "k_proj.weight": 1.5,
    "v_proj.weight": 1.2,
    "o_proj.weight": 1.5,
    "router.weight": 2.0,
    "experts.gate_up_proj": 1.5,
    "experts.down_proj": 1.8,
    "gate_proj.weight": 1.3,
    "down_proj.weight": 1.5,
    "lm_head.weight": 2.0,
    "patch_embedding.linear.weight": 2.0,
    "fc1.weight": 1.3,
    "fc2.weight": 1.6,
    "multi_modal_projector.linear_1.weight": 2.0,
}


def generator(seed: int, name: str) -> torch.Generator:
    """A generator that depends on the model's seed and the tensor's name only."""
    # One 32-bit number: the generator ignores higher bits.
    return torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))


def fan_in(name: str, shape: torch.Size) -> int:
    """Inputs per output: expert tensors are [E, in, out], everything else is [out, in]."""
    return shape[1] if len(shape) == 3 else shape[-1]


def random_tensor(name: str, shape: torch.Size, seed: int) -> torch.Tensor:
    """The float32 value of parameter `name`."""
    g = generator(seed, name)
    if "norm" in name and name.endswith("weight"):
        return torch.rand(shape, generator=g) * 0.8 + 0.6
    normal = torch.randn(shape, generator=g)
    if name.endswith("bias"):
        return normal * 0.2
    if name.endswith("embed_tokens.weight") or name.endswith("class_embedding"):
        return normal
    if name.endswith("positional_embedding_vlm"):
        return normal * 0.5
    matches = [suffix for suffix in GAINS if name.endswith(suffix)]
    gain = GAINS[max(matches, key=len)] if matches else 1.0
    return normal * (gain / math.sqrt(fan_in(name, shape)))


@torch.no_grad()
def fill(model: torch.nn.Module, seed: int) -> None:
    """Overwrites every parameter of `model`."""
    for name, parameter in model.named_parameters():
        parameter.copy_(random_tensor(name, parameter.shape, seed).to(parameter.dtype))
