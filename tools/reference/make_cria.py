"""Writes build/cria-untrained: a complete small Llama 4 directory with random, untrained weights.

It stood in for the trained model of models/cria before there was one, so that everything ran on a fresh
clone.

Usage: make_cria.py [--out DIRECTORY]
"""

import argparse
import json
import os
import pathlib
import warnings

os.environ["TOKENIZERS_PARALLELISM"] = (
    "false"  # one order of counting, so the same vocabulary every time
)

import torch
import transformers
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import Llama4Config, Llama4ForConditionalGeneration, Llama4ImageProcessor

import weights
from cria_text import documents
from specs import rope

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED = 4
BASE_VOCABULARY = 1024
CONTEXT = 4096
SPLIT = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Llama 4's special tokens in its order, the long runs of reserved ones cut short.
SPECIAL = [
    *("begin_of_text", "end_of_text", "fim_prefix", "fim_middle", "fim_suffix"),
    *("header_start", "header_end", "eom", "eot", "step"),
    *(f"text_post_train_reserved_special_token_{i}" for i in range(6)),
    *("python_start", "python_end", "finetune_right_pad"),
    *(
        "image_start",
        "image_end",
        "vision_reserved_special_token_0",
        "vision_reserved_special_token_1",
    ),
    *(
        "tile_x_separator",
        "tile_y_separator",
        "vision_reserved_special_token_2",
        "vision_reserved_special_token_3",
    ),
    *("vision_reserved_special_token_4", "vision_reserved_special_token_5"),
    *("image", "vision_reserved_special_token_6", "patch"),
]
STOPS = ("end_of_text", "eom", "eot")
# The release format of Llama 4 in words and code of our own. src/text/chat_template.cc knows its structure;
# make_chat.py renders every golden conversation with it. It also keeps what the published template loses: tools without
# a system message, and lists as the first user message.
CHAT_TEMPLATE = """\
{%- macro body(content) -%}
  {%- if content is string -%}{{- content -}}
  {%- elif content is not none -%}
    {%- for part in content -%}
      {%- if part['type'] == 'image' -%}{{- '<|image|>' -}}
      {%- elif part['type'] == 'text' -%}{{- part['text'] -}}{%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- macro header(role) -%}{{- '<|header_start|>' + role + '<|header_end|>\\n\\n' -}}{%- endmacro -%}
{%- set tools = custom_tools | default(tools) | default(none) -%}
{%- set in_user = tools is not none and tools_in_user_message | default(true) -%}
{%- set in_system = tools is not none and not in_user -%}
{%- set state = namespace(tools_shown=not in_user) -%}
{{- bos_token -}}
{%- set systems = messages[:1] | selectattr('role', 'equalto', 'system') | list -%}
{%- if systems or in_system -%}
  {{- header('system') -}}
  {%- if in_system -%}
    {{- 'These functions can be called; each is described in JSON. To call one, answer with nothing but ' -}}
    {{- '{"name": its name, "parameters": an object with its arguments}.\\n\\n' -}}
    {%- for t in tools -%}{{- t | tojson(indent=4) + '\\n\\n' -}}{%- endfor -%}
  {%- endif -%}
  {%- for message in systems -%}{{- body(message['content']) | trim -}}{%- endfor -%}
  {{- '<|eot|>' -}}
{%- endif -%}
{%- for message in messages[systems | length:] -%}
  {%- if message['role'] in ('tool', 'ipython') -%}
    {{- header('ipython') + message['content'] | tojson -}}
  {%- elif message['tool_calls'] -%}
    {{- header('assistant') + '<|python_start|>' + body(message['content']) + '<|python_end|>' -}}
    {%- for call in message['tool_calls'] -%}
      {{- '{"name": "' + call['function']['name'] + '", "parameters": ' -}}
      {{- call['function']['arguments'] | tojson + '}' -}}
    {%- endfor -%}
  {%- elif message['role'] == 'user' and not state.tools_shown -%}
    {{- header('user') -}}
    {%- set state.tools_shown = true -%}
    {{- 'These functions can be called; each is described in JSON. To call one, answer with nothing but ' -}}
    {{- '{"name": its name, "parameters": an object with its arguments}.\\n\\n' -}}
    {%- for t in tools -%}{{- t | tojson(indent=4) + '\\n\\n' -}}{%- endfor -%}
    {{- body(message['content']) | trim -}}
  {%- else -%}{{- header(message['role']) + body(message['content']) -}}
  {%- endif -%}
  {{- '<|eot|>' -}}
{%- endfor -%}
{%- if not state.tools_shown -%}
  {{- raise_exception('no user message, which the definitions of the tools would go into') -}}
{%- endif -%}
{%- if add_generation_prompt -%}{{- header('assistant') -}}{%- endif -%}
"""
CARD = """\
---
language: [en]
pipeline_tag: image-text-to-text
tags: [llama4, untrained]
---

# cria (untrained)

**This model knows nothing.** Its weights are random numbers; whatever it writes is noise. It has the
full structure of Llama 4 at a tiny size, so that loading, tokenizing, looking at pictures, chatting
and serving can be tried and tested without a download. A trained model will take its place.

| | |
|---|---|
| parameters | {parameters:,} |
| text | {layers} layers of width {width}, every second one with {experts} experts and a shared one |
| attention | in chunks of {chunk} tokens, every fourth layer over everything |
| vision | {side} x {side} pixel tiles, {tile_tokens} tokens each |
| vocabulary | {vocabulary}: {base} byte-level BPE tokens, then Llama 4's special tokens |
| tokenizer's training text | written by a small grammar, words of 20 languages |
| weights | bfloat16, normal distribution, seed {seed} |

Made by `tools/reference/make_cria.py`; the same bytes every time.
"""


def name(token):
    return f"<|{token}|>"


def token_id(token):
    return BASE_VOCABULARY + SPECIAL.index(token)


def train_tokenizer():
    """A tokenizer built like Llama 4's: split, BPE over bytes, special tokens behind."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=BASE_VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents(6000, SEED), trainer)
    assert tokenizer.get_vocab_size() == BASE_VOCABULARY
    tokenizer.add_special_tokens(
        [AddedToken(name(t), normalized=False, special=True) for t in SPECIAL]
    )
    tokenizer.decoder = decoders.ByteLevel()
    begin = name("begin_of_text")
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{begin} $A",
                pair=f"{begin}:0 $A:0 {begin}:1 $B:1",
                special_tokens=[(begin, token_id("begin_of_text"))],
            ),
        ]
    )
    return tokenizer


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_tokenizer(tokenizer, out):
    tokenizer.save(str(out / "tokenizer.json"))
    roles = {
        "bos_token": name("begin_of_text"),
        "eos_token": name("eot"),
        "pad_token": name("finetune_right_pad"),
    }
    write_json(out / "special_tokens_map.json", roles)
    write_json(
        out / "tokenizer_config.json",
        roles
        | {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": CONTEXT,
            "model_input_names": ["input_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            "processor_class": "Llama4Processor",
            "added_tokens_decoder": {
                str(token_id(t)): {
                    "content": name(t),
                    "lstrip": False,
                    "normalized": False,
                    "rstrip": False,
                    "single_word": False,
                    "special": True,
                }
                for t in SPECIAL
            },
            "chat_template": CHAT_TEMPLATE,
        },
    )


def configuration():
    text = dict(
        vocab_size=BASE_VOCABULARY + len(SPECIAL),
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size=96,
        intermediate_size_mlp=128,
        num_local_experts=4,
        num_experts_per_tok=1,
        interleave_moe_layer_step=2,
        attention_chunk_size=256,
        use_qk_norm=False,
        attn_temperature_tuning=True,
        floor_scale=8192,
        attn_scale=0.1,
        max_position_embeddings=CONTEXT,
        rope_parameters=rope(500000.0),
        bos_token_id=token_id("begin_of_text"),
        eos_token_id=[token_id(t) for t in STOPS],
        pad_token_id=token_id("finetune_right_pad"),
    )
    vision = dict(
        hidden_size=48,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=112,
        patch_size=14,
        vision_output_dim=64,
        projector_input_dim=64,
        projector_output_dim=64,
        rope_parameters=rope(10000.0),
    )
    return Llama4Config(
        text_config=text,
        vision_config=vision,
        boi_token_index=token_id("image_start"),
        eoi_token_index=token_id("image_end"),
        image_token_index=token_id("patch"),
    )


@torch.no_grad()
def write_model(config, out):
    """Random weights; special tokens other than the stops never win, so that the noise at least
    looks like text.
    """
    model = Llama4ForConditionalGeneration(config)
    weights.fill(model, SEED)
    for token in SPECIAL:
        if token not in STOPS:
            model.language_model.lm_head.weight[token_id(token)] = 0
    model = model.to(torch.bfloat16)
    model.save_pretrained(out)
    text = config.text_config
    write_json(
        out / "generation_config.json",
        {
            "bos_token_id": text.bos_token_id,
            "do_sample": True,
            "eos_token_id": text.eos_token_id,
            "pad_token_id": text.pad_token_id,
            "temperature": 0.6,
            "top_p": 0.9,
        },
    )
    return sum(p.numel() for p in model.parameters())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/cria-untrained")
    out = parser.parse_args().out
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message="Casting complex values")
    out.mkdir(parents=True, exist_ok=True)
    config = configuration()
    parameters = write_model(config, out)
    write_tokenizer(train_tokenizer(), out)
    side = config.vision_config.image_size
    Llama4ImageProcessor(size={"height": side, "width": side}).save_pretrained(out)
    write_json(
        out / "processor_config.json",
        {"processor_class": "Llama4Processor", "patch_size": 14, "pixel_shuffle_ratio": 0.5},
    )
    text = config.text_config
    card = CARD.format(
        parameters=parameters,
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        experts=text.num_local_experts,
        chunk=text.attention_chunk_size,
        side=side,
        tile_tokens=(side // 28) ** 2,
        vocabulary=text.vocab_size,
        base=BASE_VOCABULARY,
        seed=SEED,
    )
    (out / "README.md").write_text(card)
    for path in out.iterdir():
        path.chmod(0o644)  # safetensors files come out private
    size = sum(path.stat().st_size for path in out.iterdir())
    print(f"{out}: {size / 1024:.0f} KiB, {parameters:,} parameters")


if __name__ == "__main__":
    main()
