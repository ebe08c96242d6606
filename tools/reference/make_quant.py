#!/usr/bin/env python3
"""Random blocks of every quantized type and the floats that the `gguf` package reads from them, for
tests/data/quant/TYPE.bin: the blocks, then their numbers as little-endian float32. The package has no int4 in groups of
128: its codes and scales are those of Meta's own code (llama-models), its bytes and what they mean compressed-tensors'.

usage: make_quant.py [--grids FILE]   with --grids it writes the codebooks of the I formats instead (i_grids.h)
"""
import argparse
import pathlib

import numpy as np
import torch
from compressed_tensors.compressors.pack_quantized import pack_to_int32
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

import int4

OUT = pathlib.Path(__file__).parents[2] / "tests/data/quant"
BLOCKS = 4
# Where half-precision scales lie in a block, so that they can be kept finite.
HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0],
          "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": []}
# Those that the package can make itself, bit by bit as ggml does.
ENCODED = ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "MXFP4")


def random_blocks(rng, name):
    count, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    blocks = rng.integers(0, 256, (BLOCKS, size), np.uint8)
    for at in HALVES[name]:
        for block in blocks:
            # Any finite half: normal, subnormal or zero, of either sign.
            bits = int(rng.integers(0, 0x7c00)) >> int(rng.choice([0, 0, 0, 6])) | int(rng.integers(0, 2)) << 15
            block[at:at + 2] = np.frombuffer(np.uint16(bits).tobytes(), np.uint8)
    if name == "IQ1_M":  # its half lies in the upper four bits of four words; the exponent's in the last
        blocks[:, -1] = blocks[:, -1] & 0xbf
    if name == "MXFP4":
        blocks[:, 0] = [0, 1, 2, 200]
    return blocks, count


def write_blocks():
    OUT.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(4)
    for name in HALVES:
        blocks, count = random_blocks(rng, name)
        numbers = quants.dequantize(blocks, GGMLQuantizationType[name]).astype("<f4")
        assert numbers.shape == (BLOCKS, count) and np.isfinite(numbers).all(), name
        (OUT / f"{name.lower()}.bin").write_bytes(blocks.tobytes() + numbers.tobytes())


def write_encoded():
    """Floats and the blocks that the package makes of them, for tests/data/quant/TYPE.encoded.bin."""
    rng = np.random.default_rng(5)
    for name in ENCODED:
        kind = GGMLQuantizationType[name]
        numbers = (rng.standard_normal((6, 32)) * 10.0 ** rng.integers(-4, 3, (6, 1))).astype(np.float32)
        numbers[1] = np.abs(numbers[1])
        numbers[2] = 0
        numbers[3, ::3] = numbers[3, 0]  # equals
        blocks = quants.quantize(numbers, kind)
        (OUT / f"{name.lower()}.encoded.bin").write_bytes(numbers.astype("<f4").tobytes() + blocks.tobytes())


def int4_blocks(scales, words):
    """Blocks of 68 bytes: the group's scale, then its 64 bytes of codes as compressed-tensors packs them."""
    rows = np.concatenate([scales.numpy().astype("<f4").view(np.uint8).reshape(-1, 4),
                           words.numpy().astype("<i4").view(np.uint8).reshape(-1, 64)], axis=1)
    return rows.tobytes()


def write_int4():
    rng = np.random.default_rng(6)
    words = torch.from_numpy(rng.integers(-2**31, 2**31, (BLOCKS, 16), np.int64).astype(np.int32))
    scales = torch.tensor([[0.003], [-1.7], [1e-40], [3e30]], dtype=torch.float32)
    numbers = int4.unpack({"weight_packed": words, "weight_scale": scales, "weight_shape": torch.tensor([BLOCKS, 128])})
    assert bool(numbers.isfinite().all())
    (OUT / "int4.bin").write_bytes(int4_blocks(scales, words) + numbers.numpy().astype("<f4").tobytes())

    rng = np.random.default_rng(7)
    numbers = (rng.standard_normal((6, 128)) * 10.0 ** rng.integers(-4, 3, (6, 1))).astype(np.float32)
    numbers[1] = np.resize([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 7.5, -7.5, 8, 6.5, 3.5, 0], 128)  # halves, and 8 of 7
    numbers[2] = 0
    numbers[3] *= 1e-9  # below the smallest scale
    numbers[4] = torch.from_numpy(numbers[4]).to(torch.bfloat16).float().numpy()
    numbers[5] = -np.abs(numbers[5])
    meta = int4.metas()
    codes, scales = meta.int4_row_quantize(torch.from_numpy(numbers))
    words = pack_to_int32(codes, 4)
    assert (int4.pack(torch.from_numpy(numbers), scales.t())["weight_packed"] == words).all()
    # Meta's own bytes hold the same codes, in two's complement.
    packed = meta.pack_int4(codes).numpy().view(np.uint8)
    assert (packed == words.numpy().view(np.uint8).reshape(6, 64) ^ 0x88).all()
    (OUT / "int4.encoded.bin").write_bytes(numbers.astype("<f4").tobytes() + int4_blocks(scales.t(), words))


def grid_codes(kind):
    """Each vector of a codebook as one whole number: the places of its levels, the first in the lowest bits."""
    kind.init_grid()
    levels = list(kind.grid_map)
    bits = (len(levels) - 1).bit_length()
    vectors = kind.grid.reshape(kind.grid_shape)
    return [sum(levels.index(value) << (bits * j) for j, value in enumerate(vector)) for vector in vectors.tolist()]


def write_grids(path):
    lines = ["// Made by tools/reference/make_quant.py --grids: the codebooks of ggml's I formats, each vector as the",
             "// places of its levels in 2 or 3 bits each, the first in the lowest.", "#pragma once", "",
             "#include <cstdint>", "",
             "namespace herd::quant {", "", "// clang-format off",
             f"inline constexpr std::uint8_t grid_2_levels[4] = {{{', '.join(map(str, quants.IQ2_S.grid_map))}, 0}};"]
    for name, kind in (("iq3_xxs", quants.IQ3_XXS), ("iq3_s", quants.IQ3_S)):
        lines.append(f"inline constexpr std::uint8_t {name}_levels[8] = {{{', '.join(map(str, kind.grid_map))}}};")
    for name, kind in (("iq2_xxs", quants.IQ2_XXS), ("iq2_xs", quants.IQ2_XS), ("iq2_s", quants.IQ2_S),
                       ("iq3_xxs", quants.IQ3_XXS), ("iq3_s", quants.IQ3_S), ("iq1", quants.IQ1_S)):
        codes = grid_codes(kind)
        lines += ["", f"inline constexpr std::uint16_t {name}_grid[{len(codes)}] = {{"]
        lines += ["    " + " ".join(f"{code}," for code in codes[i:i + 12]) for i in range(0, len(codes), 12)]
        lines.append("};")
    lines += ["// clang-format on", "", "}  // namespace herd::quant", ""]
    path.write_text("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grids", type=pathlib.Path)
    args = parser.parse_args()
    if args.grids:
        write_grids(args.grids)
    else:
        write_blocks()
        write_encoded()
        write_int4()


if __name__ == "__main__":
    main()
