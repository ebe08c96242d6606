#include "quant/encode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "quant/encode_grids.h"
#include "quant/formats.h"

namespace herd::quant {
namespace {

constexpr float tiny = 1e-30f;

int rounded(float x) { return static_cast<int>(std::lround(x)); }

float inverse(float x) { return x != 0.0f ? 1.0f / x : 0.0f; }

// ----------------------------------------------------------- one scale a block of 32, as ggml does

float largest(const float* x, int n) {  // by magnitude, with its sign; the first of equals
  float best = 0, magnitude = 0;
  for (int i = 0; i < n; ++i)
    if (std::fabs(x[i]) > magnitude) {
      magnitude = std::fabs(x[i]);
      best = x[i];
    }
  return best;
}

void put_nibbles(const std::array<int, 32>& q, std::uint8_t* to) {
  for (std::size_t i = 0; i < 16; ++i) to[i] = byte_of((q[i] & 15) | ((q[i + 16] & 15) << 4));
}

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
    q[i] = std::clamp(static_cast<int>(x[i] * id + (static_cast<float>(half) + 0.5f)), 0,
                      2 * half - 1);
  return q;
}

std::array<int, 32> from_minimum(const float* x, int top, Half& d_out, Half& m_out) {
  const auto [low, high] = std::minmax_element(x, x + 32);
  const float minimum = *low, d = (*high - minimum) / static_cast<float>(top), id = inverse(d);
  d_out = to_half(d);
  m_out = to_half(minimum);
  std::array<int, 32> q{};
  for (std::size_t i = 0; i < 32; ++i)
    q[i] = std::clamp(static_cast<int>((x[i] - minimum) * id + 0.5f), 0, top);
  return q;
}

void encode(const float* x, const float*, MXFP4& b) {
  const float top = std::fabs(largest(x, 32));
  // The largest value of E2M1 is 6 = 1.5 x 2^2.
  const int exponent = top > 0 ? static_cast<int>(std::floor(std::log2(top))) - 2 + 127 : 0;
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

// ---------------------------------------------------------------------------- searching for scales

// Weights of the squared errors of a block. Without importances all count alike: nothing is known of what they meet.
std::array<float, 256> error_weights(const float* importance, std::size_t n) {
  std::array<float, 256> w{};
  w.fill(1);
  if (importance != nullptr) std::copy_n(importance, n, w.begin());
  return w;
}

// x ~ scale q - minimum for q in [0, top], minimum >= 0.
struct Affine {
  float scale = 0, minimum = 0;
};

Affine fit_affine(const float* x, const float* w, int n, int top) {
  const float low = std::min(0.0f, *std::min_element(x, x + n));
  const float high = *std::max_element(x, x + n);
  if (high - low < tiny) return {0, -low};
  Affine best;
  double best_error = -1;
  for (int step = -10; step <= 12; ++step) {
    const float inv = (static_cast<float>(top) + 0.1f * static_cast<float>(step)) / (high - low);
    double sw = 0, sx = 0, sq = 0, sqq = 0, sxq = 0, sxx = 0;
    for (int i = 0; i < n; ++i) {
      const double q = std::clamp(rounded(inv * (x[i] - low)), 0, top), wi = w[i], xi = x[i];
      sw += wi, sx += wi * xi, sq += wi * q, sqq += wi * q * q, sxq += wi * xi * q;
      sxx += wi * xi * xi;
    }
    const double determinant = sw * sqq - sq * sq;
    if (sqq <= 0) continue;
    double scale = 0, offset = 1;
    if (determinant > 1e-9 * sw * sqq) {
      scale = (sw * sxq - sx * sq) / determinant;
      offset = (sqq * sx - sq * sxq) / determinant;
    }
    if (offset > 0) {  // also where all numbers are one level
      offset = 0;
      scale = sxq / sqq;
    }
    const double error = sxx + scale * scale * sqq + offset * offset * sw +
                         2 * (scale * offset * sq - scale * sxq - offset * sx);
    if (best_error < 0 || error < best_error) {
      best_error = error;
      best = {static_cast<float>(scale), static_cast<float>(-offset)};
    }
  }
  return best;
}

// x ~ scale level(q); `nearest` gives the level for x / scale. `extreme` is the level farthest from zero.
template <class Nearest>
float fit_scale(const float* x, const float* w, int n, float extreme, float reach,
                const Nearest& nearest) {
  const float top = largest(x, n);
  if (std::fabs(top) < tiny) return 0;
  double best = 0;
  float scale = 0;
  for (int step = -9; step <= 9; ++step) {
    const float inv = extreme * (1.0f + reach * static_cast<float>(step)) / top;
    double sxl = 0, sll = 0;
    for (int i = 0; i < n; ++i) {
      const double level = nearest(inv * x[i]), wi = w[i];
      sxl += wi * double{x[i]} * level;
      sll += wi * level * level;
    }
    // The error of the best scale is less by sxl^2 / sll than that of zero.
    if (sll > 0 && sxl * sxl > best * sll) {
      best = sxl * sxl / sll;
      scale = static_cast<float>(sxl / sll);
    }
  }
  return scale;
}

// -------------------------------------------------------------------- x = d scale q - dmin minimum

struct AffineBlock {
  float d = 0, dmin = 0;
  std::array<int, 16> scale{}, minimum{};
  std::array<int, 256> q{};
};

// Numbers for the scales and minimums that the block really has.
void round_numbers(const float* x, int group, int top, AffineBlock& b) {
  for (int g = 0; g < 256 / group; ++g) {
    const float scale = b.d * static_cast<float>(b.scale[static_cast<std::size_t>(g)]);
    const float minimum = b.dmin * static_cast<float>(b.minimum[static_cast<std::size_t>(g)]);
    for (int i = group * g; i < group * (g + 1); ++i)
      b.q[static_cast<std::size_t>(i)] =
          scale != 0 ? std::clamp(rounded((x[i] + minimum) / scale), 0, top) : 0;
  }
}

double error_of(const float* x, const std::array<float, 256>& w, int group, const AffineBlock& b) {
  double sum = 0;
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t g = i / static_cast<std::size_t>(group);
    const double off =
        double{b.d} * b.scale[g] * b.q[i] - double{b.dmin} * b.minimum[g] - double{x[i]};
    sum += double{w[i]} * off * off;
  }
  return sum;
}

// d and dmin of least error for the numbers as they are.
void refit(const float* x, const std::array<float, 256>& w, int group, AffineBlock& b) {
  double ss = 0, sm = 0, mm = 0, xs = 0, xm = 0;
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t g = i / static_cast<std::size_t>(group);
    const double s = double{1} * b.scale[g] * b.q[i], m = b.minimum[g], wi = w[i], xi = x[i];
    ss += wi * s * s, sm += wi * s * m, mm += wi * m * m, xs += wi * xi * s, xm += wi * xi * m;
  }
  const double determinant = ss * mm - sm * sm;
  if (determinant > 1e-9 * ss * mm) {
    b.d = static_cast<float>((xs * mm - xm * sm) / determinant);
    b.dmin = static_cast<float>((xs * sm - xm * ss) / determinant);
  } else if (ss > 0) {
    b.d = static_cast<float>((xs + double{b.dmin} * sm) / ss);
  }
}

AffineBlock fit_affine_block(const float* x, const float* importance, int group, int top,
                             int scale_top) {
  const std::array<float, 256> w = error_weights(importance, 256);
  std::array<Affine, 16> fits{};
  float scale_max = 0, minimum_max = 0;
  const auto groups = static_cast<std::size_t>(256 / group);
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t at = g * static_cast<std::size_t>(group);
    fits[g] = fit_affine(x + at, w.data() + at, group, top);
    scale_max = std::max(scale_max, fits[g].scale);
    minimum_max = std::max(minimum_max, fits[g].minimum);
  }
  AffineBlock b;
  const auto as_half = [](float value) { return to_float(to_half(value)); };
  b.d = as_half(scale_max / static_cast<float>(scale_top));
  b.dmin = as_half(minimum_max / static_cast<float>(scale_top));
  for (std::size_t g = 0; g < groups; ++g) {
    b.scale[g] = std::clamp(rounded(fits[g].scale * inverse(b.d)), 0, scale_top);
    b.minimum[g] = std::clamp(rounded(fits[g].minimum * inverse(b.dmin)), 0, scale_top);
  }
  round_numbers(x, group, top, b);
  double error = error_of(x, w, group, b);
  for (int pass = 0; pass < 3; ++pass) {
    AffineBlock next = b;
    refit(x, w, group, next);
    next.d = as_half(next.d);
    next.dmin = as_half(next.dmin);
    if (!std::isfinite(next.d) || !std::isfinite(next.dmin)) break;
    round_numbers(x, group, top, next);
    const double now = error_of(x, w, group, next);
    if (!(now < error)) break;
    error = now;
    b = next;
  }
  return b;
}

void put_two_bits(const std::array<int, 256>& q, std::uint8_t* to) {
  for (int i = 0; i < 256; ++i) {
    std::uint8_t& byte = to[i / 128 * 32 + i % 32];
    byte = byte_of(byte | ((q[static_cast<std::size_t>(i)] & 3) << (i % 128 / 32 * 2)));
  }
}

void put_four_bits(const std::array<int, 256>& q, std::uint8_t* to) {
  for (int i = 0; i < 256; ++i) {
    std::uint8_t& byte = to[i / 64 * 32 + i % 32];
    byte = byte_of(byte | ((q[static_cast<std::size_t>(i)] & 15) << (i % 64 / 32 * 4)));
  }
}

void put_k_scales(const AffineBlock& from, std::uint8_t* s) {
  for (std::size_t g = 0; g < 4; ++g) {
    const std::size_t later = g + 4;
    s[g] = byte_of(from.scale[g] | ((from.scale[later] >> 4) << 6));
    s[g + 4] = byte_of(from.minimum[g] | ((from.minimum[later] >> 4) << 6));
    s[g + 8] = byte_of((from.scale[later] & 15) | ((from.minimum[later] & 15) << 4));
  }
}

void encode(const float* x, const float* importance, Q2_K& b) {
  const AffineBlock fit = fit_affine_block(x, importance, 16, 3, 15);
  b.d = to_half(fit.d);
  b.dmin = to_half(fit.dmin);
  for (std::size_t g = 0; g < 16; ++g) b.scales[g] = byte_of(fit.scale[g] | (fit.minimum[g] << 4));
  put_two_bits(fit.q, b.q);
}

void encode(const float* x, const float* importance, Q4_K& b) {
  const AffineBlock fit = fit_affine_block(x, importance, 32, 15, 63);
  b.d = to_half(fit.d);
  b.dmin = to_half(fit.dmin);
  put_k_scales(fit, b.scales);
  put_four_bits(fit.q, b.q);
}

void encode(const float* x, const float* importance, Q5_K& b) {
  const AffineBlock fit = fit_affine_block(x, importance, 32, 31, 63);
  b.d = to_half(fit.d);
  b.dmin = to_half(fit.dmin);
  put_k_scales(fit, b.scales);
  put_four_bits(fit.q, b.q);
  for (std::size_t i = 0; i < 256; ++i)
    b.high[i % 32] = byte_of(b.high[i % 32] | ((fit.q[i] >> 4) << (i / 32)));
}

// ------------------------------------------------------------------------------- x = d scale level

struct ScaledBlock {
  float d = 0;
  std::array<int, 16> scale{};
  std::array<int, 256> q{};  // numbers of levels
};

// Levels: a number for each x, and what it stands for.
struct EvenLevels {
  int half;  // levels from -half to half - 1
  [[nodiscard]] int number(float x) const { return std::clamp(rounded(x), -half, half - 1); }
  [[nodiscard]] float value(int number) const { return static_cast<float>(number); }
  [[nodiscard]] float extreme() const { return static_cast<float>(-half); }
};

struct NonlinearLevels {
  [[nodiscard]] int number(float x) const {
    int best = 0;
    for (int i = 1; i < 16; ++i)
      if (std::fabs(x - static_cast<float>(nonlinear_levels[i])) <
          std::fabs(x - static_cast<float>(nonlinear_levels[best])))
        best = i;
    return best;
  }
  [[nodiscard]] float value(int number) const { return nonlinear_levels[number]; }
  [[nodiscard]] float extreme() const { return nonlinear_levels[0]; }
};

// `scale_half`: scales are whole, from -scale_half to scale_half - 1.
template <class Levels>
ScaledBlock fit_scaled_block(const float* x, const float* importance, int group, int scale_half,
                             float reach, const Levels& levels) {
  const std::array<float, 256> w = error_weights(importance, 256);
  const auto groups = static_cast<std::size_t>(256 / group);
  const auto size = static_cast<std::size_t>(group);
  std::array<float, 16> scales{};
  for (std::size_t g = 0; g < groups; ++g)
    scales[g] = fit_scale(x + g * size, w.data() + g * size, group, levels.extreme(), reach,
                          [&](float y) { return levels.value(levels.number(y)); });
  ScaledBlock b;
  const auto as_half = [](float value) { return to_float(to_half(value)); };
  b.d = as_half(largest(scales.data(), static_cast<int>(groups)) / static_cast<float>(-scale_half));
  for (std::size_t g = 0; g < groups; ++g)
    b.scale[g] = std::clamp(rounded(scales[g] * inverse(b.d)), -scale_half, scale_half - 1);

  const auto number_all = [&](ScaledBlock& block) {
    double error = 0;
    for (std::size_t i = 0; i < 256; ++i) {
      const float scale = block.d * static_cast<float>(block.scale[i / size]);
      block.q[i] = levels.number(x[i] * inverse(scale));
      const double off = double{scale} * double{levels.value(block.q[i])} - double{x[i]};
      error += double{w[i]} * off * off;
    }
    return error;
  };
  double error = number_all(b);
  for (int pass = 0; pass < 3; ++pass) {
    double sxl = 0, sll = 0;
    for (std::size_t i = 0; i < 256; ++i) {
      const double level = double{levels.value(b.q[i])} * b.scale[i / size];
      sxl += double{w[i]} * double{x[i]} * level;
      sll += double{w[i]} * level * level;
    }
    if (!(sll > 0)) break;
    ScaledBlock next = b;
    next.d = as_half(static_cast<float>(sxl / sll));
    if (!std::isfinite(next.d)) break;
    const double now = number_all(next);
    if (!(now < error)) break;
    error = now;
    b = next;
  }
  return b;
}

void encode(const float* x, const float* importance, Q3_K& b) {
  const ScaledBlock fit = fit_scaled_block(x, importance, 16, 32, 0.03f, EvenLevels{4});
  b.d = to_half(fit.d);
  for (std::size_t g = 0; g < 16; ++g) {
    const int scale = fit.scale[g] + 32;
    b.scales[g % 8] = byte_of(b.scales[g % 8] | ((scale & 15) << (g / 8 * 4)));
    b.scales[8 + g % 4] = byte_of(b.scales[8 + g % 4] | ((scale >> 4) << (g / 4 * 2)));
  }
  std::array<int, 256> q = fit.q;
  for (std::size_t i = 0; i < 256; ++i) {
    q[i] += 4;
    b.high[i % 32] = byte_of(b.high[i % 32] | ((q[i] >> 2) << (i / 32)));
  }
  put_two_bits(q, b.q);
}

void encode(const float* x, const float* importance, Q6_K& b) {
  const ScaledBlock fit = fit_scaled_block(x, importance, 16, 128, 0.003f, EvenLevels{32});
  b.d = to_half(fit.d);
  for (std::size_t g = 0; g < 16; ++g) b.scales[g] = byte_of(fit.scale[g]);
  std::array<int, 256> high{};
  for (int i = 0; i < 256; ++i) {
    const int q = fit.q[static_cast<std::size_t>(i)] + 32;
    std::uint8_t& low = b.low[i / 128 * 64 + i % 64];
    low = byte_of(low | ((q & 15) << (i % 128 / 64 * 4)));
    high[static_cast<std::size_t>(i)] = q >> 4;
  }
  put_two_bits(high, b.high);
}

void encode(const float* x, const float* importance, IQ4_XS& b) {
  const ScaledBlock fit = fit_scaled_block(x, importance, 32, 32, 0.02f, NonlinearLevels{});
  b.d = to_half(fit.d);
  int high = 0;
  for (int g = 0; g < 8; ++g) {
    const int scale = fit.scale[static_cast<std::size_t>(g)] + 32;
    b.scales_low[g / 2] = byte_of(b.scales_low[g / 2] | ((scale & 15) << (g % 2 * 4)));
    high |= (scale >> 4) << (2 * g);
    std::array<int, 32> q{};
    std::copy_n(fit.q.begin() + 32 * g, 32, q.begin());
    put_nibbles(q, b.q + 16 * g);
  }
  b.scales_high[0] = byte_of(high);
  b.scales_high[1] = byte_of(high >> 8);
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
    const float q = std::clamp(std::nearbyint(x[i] / d), -8.0f, 7.0f);
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
