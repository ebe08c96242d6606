#include "quant/encode_k.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "quant/encode_search.h"

namespace herd::quant {
namespace {

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

// d and dmin for the numbers as they are, and numbers for these, if that errs less.
bool refit_block(const float* x, const std::array<float, 256>& w, int group, int top,
                 AffineBlock& b) {
  AffineBlock next = b;
  refit(x, w, group, next);
  next.d = as_half(next.d);
  next.dmin = as_half(next.dmin);
  if (!std::isfinite(next.d) || !std::isfinite(next.dmin)) return false;
  round_numbers(x, group, top, next);
  const bool better = error_of(x, w, group, next) < error_of(x, w, group, b);
  if (better) b = next;
  return better;
}

// Each group's scale and minimum one step up or down, where that errs less: what is nearest to the group's best pair is
// not the best pair of steps, as one makes up for the other.
bool move_scales(const float* x, const std::array<float, 256>& w, int group, int top, int scale_top,
                 AffineBlock& b) {
  if (!std::isfinite(b.d) || !std::isfinite(b.dmin)) return false;
  bool moved = false;
  const auto size = static_cast<std::size_t>(group);
  for (std::size_t g = 0; g < 256 / size; ++g) {
    const auto error_at = [&](int step, int minimum_step) {
      const float scale = b.d * static_cast<float>(step);
      const float minimum = b.dmin * static_cast<float>(minimum_step);
      const float id = inverse(scale);
      float sum = 0;
      for (std::size_t i = g * size; i < (g + 1) * size; ++i) {
        const int level = whole_part((x[i] + minimum) * id + 0.5f, top);
        const float off = scale * static_cast<float>(level) - minimum - x[i];
        sum += w[i] * (off * off);
      }
      return sum;
    };
    const int scale = b.scale[g], minimum = b.minimum[g];
    float least = error_at(scale, minimum);
    for (int s = std::max(scale - 1, 0); s <= std::min(scale + 1, scale_top); ++s)
      for (int m = std::max(minimum - 1, 0); m <= std::min(minimum + 1, scale_top); ++m) {
        if (s == scale && m == minimum) continue;
        const float now = error_at(s, m);
        if (!(now < least)) continue;
        least = now;
        b.scale[g] = s, b.minimum[g] = m;
        moved = true;
      }
  }
  if (moved) round_numbers(x, group, top, b);
  return moved;
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
  b.d = as_half(scale_max / static_cast<float>(scale_top));
  b.dmin = as_half(minimum_max / static_cast<float>(scale_top));
  for (std::size_t g = 0; g < groups; ++g) {
    b.scale[g] = std::clamp(rounded(fits[g].scale * inverse(b.d)), 0, scale_top);
    b.minimum[g] = std::clamp(rounded(fits[g].minimum * inverse(b.dmin)), 0, scale_top);
  }
  round_numbers(x, group, top, b);
  for (int pass = 0; pass < 4; ++pass) {
    const bool refitted = refit_block(x, w, group, top, b);
    if (!move_scales(x, w, group, top, scale_top, b) && !refitted) break;
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

// ------------------------------------------------------------------------------- x = d scale level

struct ScaledBlock {
  float d = 0;
  std::array<int, 16> scale{};
  std::array<int, 256> q{};  // numbers of levels
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

}  // namespace

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

}  // namespace herd::quant
