"""int4 in groups of 128 as others make and keep it: Meta's rounding (llama-models) and compressed-tensors' layout."""
import sys
import types

import torch
from compressed_tensors.compressors.pack_quantized import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

GROUP = 128


def metas():
    """Meta's module, whose products need a GPU library that its way of rounding does not."""
    for name in ("fbgemm_gpu", "fbgemm_gpu.experimental", "fbgemm_gpu.experimental.gen_ai"):
        sys.modules.setdefault(name, types.ModuleType(name))
    from llama_models import quantize_impls  # pylint: disable=import-outside-toplevel
    return quantize_impls


def scheme(**changes):
    """What compressed-tensors calls this: weights of 4 bits, activations as they are."""
    words = dict(num_bits=4, type="int", symmetric=True, strategy="group", group_size=GROUP) | changes
    return QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**words))


def pack(weight, scale, **changes):
    """weight_packed, weight_scale and weight_shape of a matrix [out, in], by the library."""
    return PackedQuantizationCompressor.compress({"weight": weight, "weight_scale": scale}, scheme(**changes))


def unpack(state, **changes):
    """The matrix again, float32, by the library."""
    state = dict(state) | {"weight_scale": state["weight_scale"].float()}
    out = PackedQuantizationCompressor.decompress(state, scheme(**changes))["weight"]
    assert out.dtype == torch.float32
    return out
