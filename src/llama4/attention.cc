#include "llama4/attention.h"

#include <cmath>
#include <numbers>

#include "ops/elementwise.h"
#include "ops/norm.h"

namespace herd::llama4 {

Attention::Attention(const TextConfig& config, std::int64_t layer)
    : query_(config.width, config.heads * config.head_size),
      key_(config.width, config.key_value_heads * config.head_size),
      value_(config.width, config.key_value_heads * config.head_size),
      out_(config.heads * config.head_size, config.width),
      layer_(layer),
      heads_(config.heads),
      key_value_heads_(config.key_value_heads),
      head_size_(config.head_size),
      rotates_(config.rotates[static_cast<std::size_t>(layer)]),
      normalizes_qk_(config.normalizes_qk),
      tempers_(config.tempers),
      temperature_floor_(config.temperature_floor),
      temperature_scale_(static_cast<float>(config.temperature_scale)),
      norm_eps_(static_cast<float>(config.norm_eps)) {}

Tensor Attention::operator()(Context& ctx, const Tensor& x_TD, const nn::Batch& batch,
                             const Angles& angles) const {
  const std::int64_t rows = x_TD.rows();
  Tensor q_THd = query_(ctx, x_TD).view({rows, heads_, head_size_});
  Tensor k_TGd = key_(ctx, x_TD).view({rows, key_value_heads_, head_size_});
  const Tensor v_TGd = value_(ctx, x_TD).view({rows, key_value_heads_, head_size_});
  if (rotates_) {  // local, with positions
    q_THd = rope(ctx, q_THd, angles);
    k_TGd = rope(ctx, k_TGd, angles);
    if (normalizes_qk_) {
      q_THd = unit_norm(ctx, q_THd, norm_eps_);
      k_TGd = unit_norm(ctx, k_TGd, norm_eps_);
    }
  } else if (tempers_) {  // global, without
    q_THd = temper(ctx, q_THd, batch.positions());
  }
  const Keys keys = batch.keys(ctx, static_cast<std::size_t>(layer_), k_TGd, v_TGd);
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_size_));
  const Tensor o_THd = attend(ctx, q_THd, keys, scale);
  return out_(ctx, o_THd.view({rows, heads_ * head_size_}));
}

Tensor Attention::temper(Context& ctx, const Tensor& q_THd,
                         std::span<const std::int64_t> position_T) const {
  const std::span factor_T = ctx.array<float>(q_THd.rows());
  for (std::size_t t = 0; t < factor_T.size(); ++t)
    factor_T[t] = attention_temperature(position_T[t], temperature_floor_, temperature_scale_);
  return scale_rows(ctx, q_THd, factor_T);
}

void Attention::parameters(nn::ParameterVisitor& visitor) {
  nn::visit(visitor, "q_proj", query_);
  nn::visit(visitor, "k_proj", key_);
  nn::visit(visitor, "v_proj", value_);
  nn::visit(visitor, "o_proj", out_);
}

float attention_temperature(std::int64_t position, std::int64_t floor, float scale) {
  const auto steps = static_cast<float>((position + 1) / floor);
  return std::log1p(steps) * scale + 1.0f;
}

std::vector<float> rope_frequencies(const TextConfig& config) {
  std::vector<float> frequency_P;
  for (std::int64_t i = 0; i < config.head_size / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(config.head_size);
    double frequency = 1.0 / std::pow(config.rope_theta, exponent);
    if (config.rope_scaling) {
      // The llama3 rule: long wavelengths are stretched by `factor`, short ones kept, those between blended. In Scout
      // low and high are equal, so nothing lies between (and the blend would divide by zero).
      const RopeScaling& scaling = *config.rope_scaling;
      const double wavelength = 2.0 * std::numbers::pi / frequency;
      const auto context = static_cast<double>(scaling.original_context);
      if (wavelength > context / scaling.low_frequency_factor) {
        frequency /= scaling.factor;
      } else if (wavelength >= context / scaling.high_frequency_factor &&
                 scaling.high_frequency_factor != scaling.low_frequency_factor) {
        const double kept = (context / wavelength - scaling.low_frequency_factor) /
                            (scaling.high_frequency_factor - scaling.low_frequency_factor);
        frequency = (1.0 - kept) * frequency / scaling.factor + kept * frequency;
      }
    }
    frequency_P.push_back(static_cast<float>(frequency));
  }
  return frequency_P;
}

}  // namespace herd::llama4
