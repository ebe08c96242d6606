// int4 in groups of 128 as compressed-tensors' "pack-quantized" layout has it, which vLLM and transformers load. A
// matrix "x.weight" [out, in] is three tensors:
//   x.weight_packed   i32 [out, in / 8]      input i in bits 4 (i % 8) and up of word i / 8, 8 above what it means
//   x.weight_scale    [out, in / 128]        f32, bf16 or f16; [out, 1] where an output has one scale for all
//   x.weight_shape    i64 [2]                out, in
// In memory they are one, blocks of DType::int4 (quant/int4_block.h).
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "llama4/meta.h"

namespace herd::llama4 {

// A matrix as it is written: the bytes of the words, and the scales.
struct PackQuantized {
  std::vector<std::byte> words;
  std::vector<float> scales;
};

PackQuantized pack_quantized(std::span<const std::byte> blocks);

// Puts three tensors together wherever `named` has them; the blocks are in `storage`. Fails with tensor_missing for a
// matrix without its scales, and tensor_mismatch for shapes and types other than those above, for zero points, and for
// inputs in another order (weight_g_idx).
Result<void> join_pack_quantized(std::vector<MergedTensor>& named,
                                 std::deque<std::vector<std::byte>>& storage);

}  // namespace herd::llama4
