#include "quant/encode_search.h"

namespace herd::quant {

float largest(const float* x, int n) {
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

std::array<float, 256> error_weights(const float* importance, std::size_t n) {
  std::array<float, 256> w{};
  w.fill(1);
  if (importance != nullptr) std::copy_n(importance, n, w.begin());
  return w;
}

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

}  // namespace herd::quant
