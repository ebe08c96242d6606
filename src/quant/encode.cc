#include "quant/encode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "quant/encode_grids.h"
#include "quant/encode_k.h"
#include "quant/encode_search.h"
#include "quant/formats.h"

namespace herd::quant {
namespace {

// ----------------------------------------------------------- one scale a block of 32, as ggml does

void put_fifth_bits(const std::array<int, 32>& q, std::uint8_t* to) {
  for (std::size_t i = 0; i < 32; ++i) to[i / 8] = byte_of(to[i / 8] | ((q[i] >> 4) << (i % 8)));
}

void encode(const float* x, const float*, Q8_0& b) {
  const float d = std::fabs(largest(x, 32)) / 127.0f, id = inverse(d);
  b.d = to_half(d);
  for (int i = 0; i < 32; ++i) b.q[i] = byte_of(rounded(x[i] * id));
}

// Levels from -half to half - 1, the number of largest magnitude on the lowest.
std::array<int, 32> around_zero(const float* x, int half, Half& d_out) {
  const float d = largest(x, 32) / static_cast<float>(-half), id = inverse(d);
  d_out = to_half(d);
  std::array<int, 32> q{};
  for (std::size_t i = 0; i < 32; ++i)
    q[i] = whole_part(x[i] * id + (static_cast<float>(half) + 0.5f), 2 * half - 1);
  return q;
}

std::array<int, 32> from_minimum(const float* x, int top, Half& d_out, Half& m_out) {
  const auto [low, high] = std::minmax_element(x, x + 32);
  const float minimum = *low, d = (*high - minimum) / static_cast<float>(top), id = inverse(d);
  d_out = to_half(d);
  m_out = to_half(minimum);
  std::array<int, 32> q{};
  for (std::size_t i = 0; i < 32; ++i) q[i] = whole_part((x[i] - minimum) * id + 0.5f, top);
  return q;
}

void encode(const float* x, const float*, MXFP4& b) {
  const float top = std::fabs(largest(x, 32));
  // The largest value of E2M1 is 6 = 1.5 x 2^2.
  const float power = std::min(128.0f, std::floor(std::log2(top)));  // of an infinite number too
  const int exponent = top > 0 ? static_cast<int>(power) - 2 + 127 : 0;
  b.e = static_cast<std::uint8_t>(std::clamp(exponent, 0, 254));
  const float d = half_of_power(b.e);
  std::array<int, 32> q{};
  for (std::size_t i = 0; i < 32; ++i) {
    float best = std::fabs(d * static_cast<float>(fp4_levels_doubled[0]) - x[i]);
    for (int level = 1; level < 16; ++level) {
      const float error = std::fabs(d * static_cast<float>(fp4_levels_doubled[level]) - x[i]);
      if (error < best) best = error, q[i] = level;
    }
  }
  put_nibbles(q, b.q);
}

void encode(const float* x, const float* importance, IQ4_NL& b) {
  const std::array<float, 256> w = error_weights(importance, 32);
  const NonlinearLevels levels;
  const float d = fit_scale(x, w.data(), 32, levels.extreme(), 0.02f,
                            [&](float y) { return levels.value(levels.number(y)); });
  b.d = to_half(d);
  const float id = inverse(to_float(b.d));
  std::array<int, 32> q{};
  for (std::size_t i = 0; i < 32; ++i) q[i] = levels.number(x[i] * id);
  put_nibbles(q, b.q);
}

// ------------------------------------------------ one scale a block of 32, searched where importances are known

std::array<int, 32> searched_scale(const float* x, const float* importance, int half, Half& d) {
  const EvenLevels levels{half};
  const std::array<float, 256> w = error_weights(importance, 32);
  d = to_half(fit_scale(x, w.data(), 32, levels.extreme(), half > 8 ? 0.006f : 0.012f,
                        [&](float y) { return levels.value(levels.number(y)); }));
  const float id = inverse(to_float(d));
  std::array<int, 32> q{};
  for (std::size_t i = 0; i < 32; ++i) q[i] = levels.number(x[i] * id) + half;
  return q;
}

std::array<int, 32> searched_minimum(const float* x, const float* importance, int top, Half& d,
                                     Half& m) {
  const std::array<float, 256> w = error_weights(importance, 32);
  const Affine fit = fit_affine(x, w.data(), 32, top);
  d = to_half(fit.scale);
  m = to_half(-fit.minimum);
  const float id = inverse(to_float(d)), minimum = to_float(m);
  std::array<int, 32> q{};
  for (std::size_t i = 0; i < 32; ++i) q[i] = std::clamp(rounded((x[i] - minimum) * id), 0, top);
  return q;
}

void encode(const float* x, const float* importance, Q4_0& b) {
  put_nibbles(
      importance != nullptr ? searched_scale(x, importance, 8, b.d) : around_zero(x, 8, b.d), b.q);
}
void encode(const float* x, const float* importance, Q4_1& b) {
  put_nibbles(importance != nullptr ? searched_minimum(x, importance, 15, b.d, b.m)
                                    : from_minimum(x, 15, b.d, b.m),
              b.q);
}
void encode(const float* x, const float* importance, Q5_0& b) {
  const std::array<int, 32> q =
      importance != nullptr ? searched_scale(x, importance, 16, b.d) : around_zero(x, 16, b.d);
  put_nibbles(q, b.q);
  put_fifth_bits(q, b.high);
}
void encode(const float* x, const float* importance, Q5_1& b) {
  const std::array<int, 32> q = importance != nullptr
                                    ? searched_minimum(x, importance, 31, b.d, b.m)
                                    : from_minimum(x, 31, b.d, b.m);
  put_nibbles(q, b.q);
  put_fifth_bits(q, b.high);
}

// As Meta's int4_row_quantize: the number of largest magnitude would be 8 or -8, and 7 is the most there is.
void encode(const float* x, const float*, INT4& b) {
  const float top = std::max(std::fabs(largest(x, INT4::size)), int4_smallest);
  const float d = top / 8.0f;
  std::memcpy(b.d, &d, sizeof d);
  for (int i = 0; i < INT4::size; ++i) {
    const float q = std::max(-8.0f, std::min(7.0f, std::nearbyint(x[i] / d)));  // not a number: 7
    b.q[i / 2] = byte_of(b.q[i / 2] | (static_cast<int>(q) + 8) << 4 * (i % 2));
  }
}

template <class Block>
concept Encodable = requires(const float* x, Block& b) { encode(x, x, b); };

}  // namespace

bool can_encode(DType type) {
  if (type == DType::f32 || type == DType::f16 || type == DType::bf16) return true;
  bool known = false;
  with_block(type, [&]<class Block> { known = Encodable<Block>; });
  return known;
}

void encode_row(DType type, const float* from, std::int64_t n, void* to, const float* importance) {
  HERD_CHECK(can_encode(type), "no encoder for {}", row_of(type).name);
  auto* bytes = static_cast<std::uint8_t*>(to);
  if (type == DType::f32) {
    std::memcpy(bytes, from, static_cast<std::size_t>(n) * sizeof(float));
    return;
  }
  if (!is_quantized(type)) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::uint16_t half = type == DType::f16 ? f16_of_f32(from[i]) : bf16_of_f32(from[i]);
      std::memcpy(bytes + 2 * i, &half, sizeof half);
    }
    return;
  }
  with_block(type, [&]<class Block> {
    if constexpr (Encodable<Block>) {
      HERD_CHECK(n % Block::size == 0, "{} numbers are not whole blocks of {}", n,
                 row_of(type).name);
      for (std::int64_t i = 0; i < n; i += Block::size) {
        Block block{};
        encode(from + i, importance != nullptr ? importance + i : nullptr, block);
        std::memcpy(bytes + i / Block::size * static_cast<std::int64_t>(sizeof block), &block,
                    sizeof block);
      }
    }
  });
}

}  // namespace herd::quant
