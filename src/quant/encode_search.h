// What the encoders have in common: searching a scale, or a scale and a minimum, of least weighted squared error.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "quant/block.h"
#include "quant/small_blocks.h"

namespace herd::quant {

inline constexpr float tiny = 1e-30f;

// The whole part of x within [0, top]; of what is not a number, top.
inline int whole_part(float x, int top) {
  return static_cast<int>(std::max(0.0f, std::min(static_cast<float>(top), x)));
}

inline int rounded(float x) { return static_cast<int>(std::lround(x)); }

inline float inverse(float x) { return x != 0.0f ? 1.0f / x : 0.0f; }

inline float as_half(float value) { return to_float(to_half(value)); }

// The largest of n numbers by magnitude, with its sign; the first of equals.
float largest(const float* x, int n);

// Four bits each, the first half in the low ones.
void put_nibbles(const std::array<int, 32>& q, std::uint8_t* to);

// Weights of the squared errors of a block. Without importances all count alike: nothing is known of what they meet.
std::array<float, 256> error_weights(const float* importance, std::size_t n);

// x ~ scale q - minimum for q in [0, top], minimum >= 0.
struct Affine {
  float scale = 0, minimum = 0;
};

// Of n numbers; q at most `top`.
Affine fit_affine(const float* x, const float* w, int n, int top);

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

}  // namespace herd::quant
