"""Writes a full-width slice of a Llama 4 model: true layer shapes, few layers, a small vocabulary,
random weights.

Usage: make_slice.py OUT [--layers N] [--family scout|maverick] [--experts E] [--seed S]

Too large to commit (one Scout layer is 4.4 GB): made when `make test-slow` wants it. The reference
runs in float32 one layer at a time, so it needs memory for the bfloat16 model while writing and for
one float32 layer (9 GB) afterwards. The format of OUT/expected.safetensors is that of the tiny
models, with fewer generated tokens.
"""

import argparse
import pathlib
import warnings

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import Llama4ForCausalLM, Llama4TextConfig
from transformers.models.llama4.modeling_llama4 import Llama4TextRotaryEmbedding

import expected
import weights
from specs import rope

VOCABULARY = 2048
PROMPT = 16
GENERATED = 8
FAMILIES = {
    "scout": dict(
        num_local_experts=16,
        interleave_moe_layer_step=1,
        use_qk_norm=True,
        rope_parameters=rope(500000.0, factor=16.0, low=1.0, high=1.0, original=8192),
    ),
    # All 128 experts of a Maverick layer are 32 GB; eight show the same shapes.
    "maverick": dict(
        num_local_experts=8,
        interleave_moe_layer_step=2,
        use_qk_norm=False,
        rope_parameters=rope(500000.0),
    ),
}


def configuration(family, layers, experts):
    """The true shapes; the last of several layers has no positions, so that both kinds of attention
    occur.
    """
    changes = FAMILIES[family] | ({"num_local_experts": experts} if experts else {})
    return Llama4TextConfig(
        vocab_size=VOCABULARY,
        hidden_size=5120,
        num_attention_heads=40,
        num_key_value_heads=8,
        head_dim=128,
        intermediate_size=8192,
        intermediate_size_mlp=16384,
        num_hidden_layers=layers,
        no_rope_layers=[int(layers == 1 or layer < layers - 1) for layer in range(layers)],
        attention_chunk_size=8192,
        rms_norm_eps=1e-5,
        max_position_embeddings=262144,
        bos_token_id=VOCABULARY - 5,
        eos_token_id=[VOCABULARY - 4, VOCABULARY - 3, VOCABULARY - 2],
        pad_token_id=VOCABULARY - 1,
        **changes,
    )


@torch.no_grad()
def write_model(config, seed, out):
    """Random bfloat16 weights, drawn expert by expert to keep the float32 copies small, saved by
    the library.
    """
    with torch.device("meta"):
        model = Llama4ForCausalLM(config).to(torch.bfloat16)
    model.to_empty(device="cpu")
    for name, parameter in model.named_parameters():
        if parameter.dim() == 3:
            for expert, part in enumerate(parameter):
                # A slice has lost its expert dimension: keep fan-in the first of [1, in, out].
                part.copy_(
                    weights.random_tensor(
                        name, torch.Size([1, *part.shape]), seed + 1000 * (expert + 1)
                    )[0]
                )
        else:
            parameter.copy_(weights.random_tensor(name, parameter.shape, seed))
    model.save_pretrained(out, max_shard_size="2GB")


class LayerLoader:
    """Gives a meta-device model its weights in float32: the small ones at once, a layer when it
    runs.
    """

    def __init__(self, model, out):
        self.files = {}
        for path in out.glob("model*.safetensors"):
            with safe_open(path, "pt") as file:
                self.files |= {name: path for name in file.keys()}
        model.model.rotary_emb = Llama4TextRotaryEmbedding(model.config)
        for name in ("model.embed_tokens", "model.norm", "lm_head"):
            self.load(model.get_submodule(name), name + ".")
        for index, layer in enumerate(model.model.layers):
            layer.register_forward_pre_hook(
                lambda module, args, i=index: self.load(module, f"model.layers.{i}.")
            )
            if len(model.model.layers) > 1:
                layer.register_forward_hook(lambda module, args, output: self.drop(module))

    def load(self, module, prefix):
        if next(module.parameters()).device.type != "meta":
            return
        state = {}
        for name in module.state_dict():
            with safe_open(self.files[prefix + name], "pt") as file:
                state[name] = file.get_tensor(prefix + name).float()
        module.load_state_dict(state, assign=True)

    def drop(self, module):
        module.to("meta")


def reference(config, out):
    """The saved model in float32 with eager attention, loading itself layer by layer."""
    config._attn_implementation = "eager"
    with torch.device("meta"):
        model = Llama4ForCausalLM(config).eval()
    LayerLoader(model, out)
    return model


def prompt(seed):
    words = torch.randint(
        0, VOCABULARY - 5, (PROMPT - 1,), generator=weights.generator(seed, "prompt")
    )
    return expected.Case([VOCABULARY - 5, *words.tolist()])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--family", choices=FAMILIES, default="scout")
    parser.add_argument("--experts", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message="Casting complex values")
    options.out.mkdir(parents=True, exist_ok=True)
    config = configuration(options.family, options.layers, options.experts)
    write_model(config, options.seed, options.out)
    model = reference(config, options.out)
    recorder = expected.Recorder(model)
    for attempt in range(10):  # another prompt if a decision is too close
        try:
            tensors = expected.run_case(
                model, recorder, prompt(options.seed + attempt), {}, GENERATED
            )
            break
        except expected.Margin as reason:
            print(f"prompt {attempt}: {reason}")
    else:
        raise SystemExit("no usable prompt")
    as_stored = {
        f"case0.{name}": value.to(
            torch.int64 if value.dtype == torch.int64 else torch.float32
        ).contiguous()
        for name, value in tensors.items()
    }
    save_file(as_stored, options.out / "expected.safetensors")
    gib = sum(f.stat().st_size for f in options.out.iterdir()) / 2**30
    print(f"{options.out}: {gib:.2f} GiB, logits std {as_stored['case0.logits'].std():.2f}")


if __name__ == "__main__":
    main()
