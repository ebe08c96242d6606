"""The tiny models: configurations, prompts, seeds. What each is for stands in README.md."""

import dataclasses
from collections.abc import Callable

import torch
from transformers import (
    Llama4Config,
    Llama4ForCausalLM,
    Llama4ForConditionalGeneration,
    Llama4TextConfig,
)

import images
from expected import Case
from weights import generator

# Special tokens at the end of a 256-word vocabulary; words are 0..239.
WORDS = 240
BOS, END_OF_TEXT, EOM, EOT, PAD = 240, 241, 242, 243, 244
IMAGE_START, IMAGE_END, TILE_X, TILE_Y, IMAGE, PATCH = 245, 246, 247, 248, 249, 250
VOCABULARY = 256
IMAGE_IDS = {
    "<|image_start|>": IMAGE_START,
    "<|image_end|>": IMAGE_END,
    "<|tile_x_separator|>": TILE_X,
    "<|tile_y_separator|>": TILE_Y,
    "<|image|>": IMAGE,
    "<|patch|>": PATCH,
}
# Meta's native format fixes the special tokens' places behind the base vocabulary (here the 256
# bytes).
NATIVE_BASE = 256
NATIVE_IDS = {
    "<|image_start|>": NATIVE_BASE + 80,
    "<|image_end|>": NATIVE_BASE + 81,
    "<|tile_x_separator|>": NATIVE_BASE + 84,
    "<|tile_y_separator|>": NATIVE_BASE + 85,
    "<|image|>": NATIVE_BASE + 90,
    "<|patch|>": NATIVE_BASE + 92,
}


@dataclasses.dataclass
class Spec:
    """One model. `cases` makes the prompts from the seed."""

    text: dict
    cases: Callable[[int], list[Case]]
    seed: int
    dtype: torch.dtype = torch.bfloat16
    max_tiles: int = 16
    image_ids: dict = dataclasses.field(default_factory=lambda: IMAGE_IDS)
    vision: dict | None = None  # None: text only, Llama4ForCausalLM
    max_shard_size: str = "1GB"
    rewrite: str | None = (
        None  # name of a function in variants.py that puts the saved directory into another form
    )


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
            words = torch.randint(
                0, WORDS, (length - 1,), generator=generator(seed, f"prompt {index}")
            )
            cases.append(Case([BOS, *words.tolist()]))
        return cases

    return make


def picture_prompts(
    side, tokens_per_tile, max_tiles, *sizes, ids=IMAGE_IDS, bos=BOS, words=WORDS, rows=None
):
    """One prompt per entry of `sizes`, a list of (width, height): words, picture, words, picture,
    words ...
    """

    def make(seed):
        cases = []
        for index, pictures in enumerate(sizes):
            random = generator(seed, f"prompt {index}")
            tokens, pixels, kept = [bos], [], []
            for number, (width, height) in enumerate(pictures):
                tokens += torch.randint(0, words, (3 + number,), generator=random).tolist()
                image = images.picture(width, height, index * 3 + number + 1)
                part, grid = images.tiles(image, side, max_tiles)
                images.check_processor(image, part, grid, side, max_tiles)
                tokens += images.layout(grid, tokens_per_tile, ids)
                pixels.append(part)
                kept.append(image)
            tokens += torch.randint(0, words, (4,), generator=random).tolist()
            wanted = rows and [
                row for row in range(len(tokens)) if row % rows == 0 or row == len(tokens) - 1
            ]
            cases.append(Case(tokens, torch.cat(pixels) if pixels else None, wanted or None, kept))
        return cases

    return make


def build(spec: Spec):
    """An uninitialised transformers model of this specification."""
    if spec.vision is None:
        return Llama4ForCausalLM(Llama4TextConfig(**spec.text))
    config = Llama4Config(
        text_config=spec.text,
        vision_config=spec.vision,
        boi_token_index=spec.image_ids["<|image_start|>"],
        eoi_token_index=spec.image_ids["<|image_end|>"],
        image_token_index=spec.image_ids["<|patch|>"],
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
            rms_norm_eps=1e-3,  # far enough from the usual 1e-5 to be noticed if ignored
        ),
        cases=prompts(20, 2),
        seed=7,
    ),
    "onelayer": Spec(
        text=text(
            num_hidden_layers=1, hidden_size=32, num_attention_heads=4, num_key_value_heads=4
        ),
        cases=prompts(12, 1),
        dtype=torch.float32,
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
    "vision": Spec(
        text=text(
            num_hidden_layers=3,
            no_rope_layers=[1, 0, 1],
            num_local_experts=3,
            attention_chunk_size=16,
        ),
        vision=vision(
            hidden_size=48,  # heads of 24: not a power of two, like the real 88
            intermediate_size=192,
            num_hidden_layers=2,
            image_size=56,
            vision_output_dim=40,
            projector_input_dim=40,
            projector_output_dim=40,
        ),
        max_tiles=6,
        cases=picture_prompts(56, 4, 6, [(56, 40)], [(100, 70)], [(56, 56), (112, 50)], []),
        seed=1,
    ),
    "int4": Spec(
        text=text(
            hidden_size=128,
            intermediate_size=128,
            num_hidden_layers=2,
            num_local_experts=2,
            attention_chunk_size=16,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
        ),
        cases=prompts(20, 3),
        seed=2,
        rewrite="quantize_int4",
    ),
    "fp8": Spec(
        text=text(
            intermediate_size=32,
            attention_chunk_size=16,
            num_attention_heads=3,
            num_key_value_heads=1,
            head_dim=16,
        ),
        cases=prompts(20, 3),
        rewrite="quantize_fp8",
        seed=4,
    ),
    "guard": Spec(
        text=text(
            num_hidden_layers=2,
            num_local_experts=0,
            moe_layers=[],
            interleave_moe_layer_step=0,
            no_rope_layers=[1, 1],
            intermediate_size=64,
            intermediate_size_mlp=64,
        ),
        vision=vision(),
        cases=prompts(18),
        rewrite="spell_guard",
        seed=1,
    ),
    "meta": Spec(
        text=text(
            vocab_size=NATIVE_BASE + 2048,
            hidden_size=32,
            num_attention_heads=4,
            # What the formulas of params.json give for ffn_dim_multiplier 1.2, multiple_of 16.
            intermediate_size=64,
            intermediate_size_mlp=112,
            interleave_moe_layer_step=2,
            rope_parameters=rope(
                20000.0, factor=16.0
            ),  # the last pair is beyond 8192 and so scaled
            bos_token_id=NATIVE_BASE,
            eos_token_id=[NATIVE_BASE + 1, NATIVE_BASE + 7, NATIVE_BASE + 8],
            pad_token_id=NATIVE_BASE + 18,
        ),
        vision=vision(
            hidden_size=32,
            intermediate_size=128,
            num_hidden_layers=2,
            vision_output_dim=24,
            projector_input_dim=24,
            projector_output_dim=24,
        ),
        image_ids=NATIVE_IDS,
        cases=picture_prompts(
            28,
            1,
            16,
            [],
            [(28, 20)],
            [(50, 60)],
            ids=NATIVE_IDS,
            bos=NATIVE_BASE,
            words=NATIVE_BASE,
            rows=6,
        ),
        rewrite="to_native",
        seed=1,
    ),
}


def spelling(rewrite):
    """A scout-like model; the same weights and prompts for every spelling of its configuration."""
    return Spec(
        text=text(
            hidden_size=32,
            num_attention_heads=4,
            intermediate_size=24,
            intermediate_size_mlp=48,
            attention_chunk_size=16,
            floor_scale=8,
            attn_scale=0.2,
            rope_parameters=rope(10000.0, factor=16.0, original=64),
        ),
        vision=vision(),
        cases=prompts(20),
        rewrite=rewrite,
        seed=5,
    )


SPECS["tf4"] = spelling("spell_transformers_4")
SPECS["tf5"] = spelling(None)
SPECS["prefixed"] = spelling("add_prefix")
