// Llama 4's attention. Three layers of four are local: they see their chunk only and rotate queries and keys by
// position (RoPE), then, in Scout, normalise them. Every fourth is global: no positions at all, all of the past, and
// queries made sharper as the text grows (attention temperature).  Spec 2.2 to 2.5.
//
// Letters: T rows, D width, H query heads, G key/value heads, d head size, P = d/2 pairs.
#pragma once

#include "llama4/config.h"
#include "nn/batch.h"
#include "nn/linear.h"
#include "ops/rope.h"

namespace herd::llama4 {

class Attention {
 public:
  Attention(const TextConfig& config, std::int64_t layer);

  // x_TD [T, D], angles of every row [T, P] -> [T, D]
  Tensor operator()(Context& ctx, const Tensor& x_TD, const nn::Batch& batch,
                    const Angles& angles) const;

  void parameters(nn::ParameterVisitor& visitor);

 private:
  // q times tau of its position: exactly 1 below the floor.
  [[nodiscard]] Tensor temper(Context& ctx, const Tensor& q_THd,
                              std::span<const std::int64_t> position_T) const;

  nn::Linear query_, key_, value_, out_;
  std::int64_t layer_, heads_, key_value_heads_, head_size_;
  bool rotates_, normalizes_qk_, tempers_;
  std::int64_t temperature_floor_;
  float temperature_scale_, norm_eps_;
};

// tau(p) = 1 + scale ln(floor((p + 1) / floor) + 1), computed in float32 as the reference does.
float attention_temperature(std::int64_t position, std::int64_t floor, float scale);

// Frequencies of the rotating layers, [d/2], stretched as the checkpoint says (spec 2.3).
std::vector<float> rope_frequencies(const TextConfig& config);

}  // namespace herd::llama4
