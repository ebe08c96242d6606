// FP8 rounds to the nearest of its 253 numbers: found here by trying them all.
#include "quant/fp8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "tensor/float_bits.h"

namespace herd::quant {
namespace {

// The nearest by trying, ties to the even code.
int tried(float value) {
  int best = 0;
  for (int code = 0; code < 0x7f; ++code) {
    const double off = std::fabs(std::fabs(double{value}) -
                                 double{f32_of_f8_e4m3(static_cast<std::uint8_t>(code))});
    const double least = std::fabs(std::fabs(double{value}) -
                                   double{f32_of_f8_e4m3(static_cast<std::uint8_t>(best))});
    if (off < least || (off == least && code % 2 == 0)) best = code;
  }
  return best | (std::signbit(value) ? 0x80 : 0);
}

TEST(Fp8, RoundsToTheNearest) {
  for (int code = 0; code < 256; ++code) {
    if ((code & 0x7f) == 0x7f) continue;
    const float value = f32_of_f8_e4m3(static_cast<std::uint8_t>(code));
    ASSERT_EQ(f8_e4m3_of_f32(value), code);
    if ((code & 0x7f) == 0x7e) continue;
    const float next = f32_of_f8_e4m3(static_cast<std::uint8_t>(code + 1));
    const float between = 0.5f * (value + next);
    for (const float x : {between, std::nextafter(between, value), std::nextafter(between, next)})
      ASSERT_EQ(f8_e4m3_of_f32(x), tried(x)) << x;
  }
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const auto x =
        static_cast<float>((uniform(1, i) - 0.5) * std::pow(2.0, 22 * uniform(2, i) - 12));
    ASSERT_EQ(f8_e4m3_of_f32(x), tried(x)) << x;
  }
  EXPECT_EQ(f8_e4m3_of_f32(1e9f), 0x7e);
  EXPECT_EQ(f8_e4m3_of_f32(-INFINITY), 0xfe);
  EXPECT_EQ(f8_e4m3_of_f32(NAN) & 0x7f, 0x7f);
}

TEST(Fp8, ARowUsesTheWholeRange) {
  std::vector<float> x(64);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(0.05 * (uniform(3, i) - 0.5));
  x[7] = -0.031f;
  std::vector<std::uint8_t> q(x.size());
  const float scale = encode_fp8_row(x.data(), 64, q.data());
  EXPECT_EQ(q[7], 0xfe);
  for (std::size_t i = 0; i < x.size();
       ++i)  // half a step of three bits, or of the smallest number
    ASSERT_NEAR(scale * f32_of_f8_e4m3(q[i]), x[i],
                std::max(std::fabs(x[i]) / 16, scale * 0x1p-10f) * 1.0001f);
  const std::vector<float> zeros(64);
  EXPECT_EQ(encode_fp8_row(zeros.data(), 64, q.data()), 1.0f);
  for (const std::uint8_t code : q) ASSERT_EQ(code, 0);
}

}  // namespace
}  // namespace herd::quant
