// Rotary position embedding (Su et al. 2021): pairs (2i, 2i+1) of a head are complex numbers turned by an angle.
// The pairing is the interleaved one of Meta's checkpoints, Hugging Face's Llama 4 and GGUF alike.
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"

namespace herd {

// Cosine and sine of every row's angles, [T, d/2] each.
struct Angles {
  Tensor cos_TP;
  Tensor sin_TP;
};

// angle[t, i] = float32(position[t] * frequency[i]); rounded as the reference rounds it, so that positions of ten
// million
// mean the same rotation.   position_T [T] in tokens from the start of the sequence, frequency_P [d/2] -> [T, d/2]
Angles rope_angles(Context& ctx, std::span<const std::int64_t> position_T,
                   std::span<const float> frequency_P);

// x_TNd [T, N, d], angles of [T, d/2] -> [T, N, d]
Tensor rope(Context& ctx, const Tensor& x_TNd, const Angles& angles);

}  // namespace herd
