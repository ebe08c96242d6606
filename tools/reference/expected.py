"""What transformers computes, captured by hooks: float32, eager attention, weights as they lie on
disk.
"""

import dataclasses

import torch

GENERATED = 64
MARGIN = 1e-3  # no decision (token or expert) may be closer than this, or rounding could flip it


class Margin(Exception):
    """The seed gives a decision too close to call, or a dull model; take another seed."""


@dataclasses.dataclass
class Case:
    """One prompt. `pixels` is [tiles, 3, S, S] or None; `rows` keeps only these token rows of
    hidden and logits; `pictures` are what the pixels came from.
    """

    tokens: list[int]
    pixels: torch.Tensor | None = None
    rows: list[int] | None = None
    pictures: list = dataclasses.field(default_factory=list)


def text_model(model):
    """The Llama4ForCausalLM inside, or the model itself."""
    return model.language_model if hasattr(model, "language_model") else model


class Recorder:
    """Hooks that keep the decoder's inner values of the latest forward."""

    def __init__(self, model):
        self.values = {}
        decoder = text_model(model).model
        decoder.layers[0].register_forward_pre_hook(self.keep_input, with_kwargs=True)
        for index, layer in enumerate(decoder.layers):
            layer.register_forward_hook(self.keep(f"hidden.{index}"))
            if layer.is_moe_layer:
                layer.feed_forward.router.register_forward_hook(
                    self.keep(f"router.{index}", item=1)
                )
        if hasattr(model, "vision_model"):
            model.vision_model.vision_adapter.register_forward_hook(self.keep("vision"))
            model.multi_modal_projector.register_forward_hook(self.keep("projected"))

    def keep_input(self, module, args, kwargs):
        self.values["embed"] = (args[0] if args else kwargs["hidden_states"]).detach().clone()

    def keep(self, name, item=None):
        def hook(module, args, output):
            value = output if item is None else output[item]
            self.values[name] = value.detach().clone().reshape(-1, value.shape[-1])

        return hook


def top_gap(scores, k):
    """Smallest distance over rows between the k-th and the next score."""
    top = scores.topk(k + 1, dim=-1).values
    return (top[:, k - 1] - top[:, k]).min().item()


def decide_experts(values, k):
    """Chosen experts per MoE layer, best first, [T, k]."""
    return {
        name: logits.topk(k, dim=-1).indices
        for name, logits in values.items()
        if name.startswith("router.")
    }


@torch.no_grad()
def run_case(model, recorder, case, used, generated_tokens=GENERATED):
    """All expected tensors of one case, without the case prefix. Marks used experts in `used`
    (layer -> set).
    """
    text = text_model(model)
    top_k = text.config.num_experts_per_tok
    tokens = torch.tensor([case.tokens])
    inputs = {"input_ids": tokens}
    if case.pixels is not None:
        inputs["pixel_values"] = case.pixels
    recorder.values = {}
    logits = model(**inputs, use_cache=False).logits[0]
    values = dict(recorder.values)
    embed = values.pop("embed")
    out = {"tokens": tokens[0], "embed": embed[0]}
    for name in sorted(decide_experts(values, top_k)):
        out[name.replace("router", "experts")] = values[name].topk(top_k, dim=-1).indices
    out |= values
    out["logits"] = logits
    if case.pixels is not None:
        out["pixels"] = case.pixels

    # The whole sequence again for every new token: no cache that could deviate.
    sequence, generated, gap = embed, [], float("inf")
    for _ in range(generated_tokens):
        logits = text(inputs_embeds=sequence, use_cache=False).logits[0, -1:]
        gap = min(gap, top_gap(logits, 1))
        generated.append(logits.argmax().item())
        sequence = torch.cat(
            [sequence, text.model.embed_tokens(torch.tensor([generated[-1:]]))], dim=1
        )
    out["greedy"] = torch.tensor(generated)
    text(inputs_embeds=sequence, use_cache=False)
    for name, chosen in decide_experts(recorder.values, top_k).items():
        used.setdefault(name, set()).update(chosen.flatten().tolist())
        gap = min(gap, top_gap(recorder.values[name], top_k))
    if gap < MARGIN:
        raise Margin(f"smallest margin {gap:.2e}")
    if len(set(generated)) < min(8, generated_tokens // 2):
        raise Margin(f"only {len(set(generated))} different tokens generated")
    if case.pixels is not None and model.config.image_token_index in generated:
        raise Margin("generated a patch token")
    if case.rows is not None:
        out["rows"] = torch.tensor(case.rows)
        for name in out:
            if name == "logits" or name.startswith("hidden."):
                out[name] = out[name][case.rows]
    return out


@torch.no_grad()
def cached_tokens(model, case):
    """The same continuation by generate() with its own cache, to see whether the two agree."""
    inputs = {"input_ids": torch.tensor([case.tokens])}
    if case.pixels is not None:
        inputs["pixel_values"] = case.pixels
    model.generation_config.eos_token_id = None  # or it would stop early
    config = type(model.generation_config)(
        do_sample=False, max_new_tokens=GENERATED, eos_token_id=None, pad_token_id=0, use_cache=True
    )
    out = model.generate(**inputs, generation_config=config)
    return out[0, len(case.tokens) :].tolist()


def compute(model, cases):
    """Returns (tensors, notes): every `case{i}.*` tensor, and remarks about the reference for the
    log.
    """
    recorder = Recorder(model)
    tensors, notes, used = {}, [], {}
    for index, case in enumerate(cases):
        out = run_case(model, recorder, case, used)
        for name, value in out.items():
            dtype = torch.int64 if value.dtype == torch.int64 else torch.float32
            tensors[f"case{index}.{name}"] = value.to(dtype).contiguous()
        if cached_tokens(model, case) != out["greedy"].tolist():
            notes.append(f"case{index}: generate() with its cache differs from the full forward")
    experts = text_model(model).config.num_local_experts
    for name, chosen in used.items():
        if len(chosen) != experts:
            raise Margin(f"{name}: only experts {sorted(chosen)} used")
    return tensors, notes
