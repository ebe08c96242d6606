"""The tiny models: configurations, prompts, seeds. What each is for stands in README.md."""

import dataclasses
from collections.abc import Callable

import torch
from transformers import Llama4Config, Llama4ForCausalLM, Llama4ForConditionalGeneration, Llama4TextConfig

from expected import Case
from weights import generator

# Special tokens at the end of a 256-word vocabulary; words are 0..239.
WORDS = 240
BOS, END_OF_TEXT, EOM, EOT, PAD = 240, 241, 242, 243, 244
IMAGE_START, IMAGE_END, TILE_X, TILE_Y, IMAGE, PATCH = 245, 246, 247, 248, 249, 250
VOCABULARY = 256


@dataclasses.dataclass
class Spec:
    """One model. `cases` makes the prompts from the seed; `finish` rewrites the saved directory where needed."""

    text: dict
    cases: Callable[[int], list[Case]]
    seed: int
    dtype: torch.dtype = torch.bfloat16
    vision: dict | None = None  # None: text only, Llama4ForCausalLM
    max_shard_size: str = "1GB"
    finish: str | None = None  # name of a function in variants.py


def rope(theta, factor=None, low=1.0, high=1.0, original=8192):
    """rope_parameters in the spelling of transformers 5."""
    if factor is None:
        return {"rope_type": "default", "rope_theta": theta}
    return {
        "rope_type": "llama3",
        "rope_theta": theta,
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": original,
    }


def text(**changes):
    """A small text configuration; 4 layers, every fourth without positions."""
    base = dict(
        vocab_size=VOCABULARY,
        hidden_size=48,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size=40,
        intermediate_size_mlp=80,
        num_local_experts=4,
        num_experts_per_tok=1,
        interleave_moe_layer_step=1,
        attention_chunk_size=8192,
        use_qk_norm=True,
        attn_temperature_tuning=True,
        floor_scale=8192,
        attn_scale=0.1,
        rms_norm_eps=1e-5,
        max_position_embeddings=1024,
        rope_parameters=rope(10000.0),
        bos_token_id=BOS,
        eos_token_id=[END_OF_TEXT, EOM, EOT],
        pad_token_id=PAD,
    )
    return base | changes


def vision(**changes):
    """The smallest vision tower: one patch group, so one token per tile."""
    base = dict(
        hidden_size=16,
        intermediate_size=64,  # the adapter reuses it: must be hidden_size / pixel_shuffle_ratio^2
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        vision_output_dim=16,
        projector_input_dim=16,
        projector_output_dim=16,
        pixel_shuffle_ratio=0.5,
        norm_eps=1e-5,
        rope_parameters=rope(10000.0),
    )
    return base | changes


def prompts(*lengths):
    """Random prompts of these lengths: begin_of_text, then words."""

    def make(seed):
        cases = []
        for index, length in enumerate(lengths):
            words = torch.randint(0, WORDS, (length - 1,), generator=generator(seed, f"prompt {index}"))
            cases.append(Case([BOS, *words.tolist()]))
        return cases

    return make


def build(spec: Spec):
    """An uninitialised transformers model of this specification."""
    if spec.vision is None:
        return Llama4ForCausalLM(Llama4TextConfig(**spec.text))
    config = Llama4Config(
        text_config=spec.text,
        vision_config=spec.vision,
        boi_token_index=IMAGE_START,
        eoi_token_index=IMAGE_END,
        image_token_index=PATCH,
    )
    return Llama4ForConditionalGeneration(config)


SPECS = {
    "scout": Spec(
        text=text(
            hidden_size=64,
            num_attention_heads=4,
            head_dim=16,
            intermediate_size=48,
            intermediate_size_mlp=96,
            attention_chunk_size=32,
            rope_parameters=rope(10000.0, factor=16.0, low=1.0, high=1.0, original=128),
        ),
        vision=vision(),
        cases=prompts(24, 5),
        max_shard_size="200KB",
        seed=1,
    ),
    "maverick": Spec(
        text=text(
            num_local_experts=8,
            interleave_moe_layer_step=2,
            use_qk_norm=False,
            intermediate_size=32,
            attention_chunk_size=32,
            rope_parameters=rope(500000.0),
        ),
        vision=vision(),
        cases=prompts(30, 1),
        dtype=torch.float16,
        seed=1,
    ),
    "chunks": Spec(
        text=text(attention_chunk_size=8, rope_parameters=rope(1000.0)),
        cases=prompts(45, 7, 8, 9, 16, 17),
        seed=1,
    ),
    "temperature": Spec(
        text=text(
            use_qk_norm=False,
            num_hidden_layers=8,
            no_rope_layers=[1, 0, 1, 0, 0, 1, 1, 0],
            interleave_moe_layer_step=2,
            attention_chunk_size=16,
            floor_scale=4,
            attn_scale=0.3,
            hidden_size=32,
            num_attention_heads=4,
            intermediate_size=24,
            intermediate_size_mlp=48,
        ),
        cases=prompts(70, 3),
        seed=1,
    ),
    "topk2": Spec(
        text=text(
            num_experts_per_tok=2,
            num_local_experts=6,
            head_dim=16,  # heads * head_dim is 96, not hidden_size
            intermediate_size=32,
            attention_chunk_size=24,
        ),
        cases=prompts(20, 2),
        seed=4,
    ),
    "onelayer": Spec(
        text=text(num_hidden_layers=1, hidden_size=32, num_attention_heads=4, num_key_value_heads=4),
        cases=prompts(12, 1),
        seed=1,
    ),
    "twelve": Spec(
        text=text(
            num_hidden_layers=12,
            hidden_size=32,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=16,
            interleave_moe_layer_step=3,
            intermediate_size=24,
            intermediate_size_mlp=56,
            attention_chunk_size=16,
            rope_parameters=rope(10000.0, factor=8.0, low=1.0, high=4.0, original=64),
        ),
        cases=prompts(40, 4),
        max_shard_size="150KB",
        seed=1,
    ),
}
