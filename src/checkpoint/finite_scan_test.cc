#include "checkpoint/finite_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "tensor/float_bits.h"

namespace herd::checkpoint {
namespace {

// All 65536 or 256 patterns of a narrow type, against what the scalar definition says of each.
void expect_counted(DType dtype) {
  const std::size_t width = row_of(dtype).bytes;
  const std::uint32_t patterns = width == 1 ? 256 : 65'536;
  std::vector<std::byte> bytes(patterns * width);
  for (std::uint32_t i = 0; i < patterns; ++i) std::memcpy(&bytes[i * width], &i, width);
  NonFinite wanted;
  for (std::uint32_t i = 0; i < patterns; ++i) {
    const float value = element_as_f32(bytes.data(), dtype, i);
    wanted.nan += std::isnan(value);
    wanted.infinite += std::isinf(value);
  }
  ThreadPool pool(2);
  const NonFinite found = count_non_finite(bytes, dtype, pool);
  EXPECT_EQ(found.nan, wanted.nan) << row_of(dtype).name;
  EXPECT_EQ(found.infinite, wanted.infinite) << row_of(dtype).name;
  EXPECT_GT(wanted.nan, 0u);
}

TEST(FiniteScan, CountsEveryPatternOfTheNarrowTypes) {
  expect_counted(DType::bf16);
  expect_counted(DType::f16);
  expect_counted(DType::f8_e4m3);
}

TEST(FiniteScan, CountsAtAnyPlaceAndAnyNumberOfThreads) {
  std::vector<float> x(3'000'017, 1.0f);
  x.front() = NAN;
  x[262'143] = INFINITY;  // the last of the first piece
  x[262'144] = -INFINITY;
  x[1'000'000] = -NAN;
  x.back() = NAN;
  x[5] = 3e38f;
  x[6] = 1e-45f;
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::atomic<std::uint64_t> scanned{0};
    const NonFinite found = count_non_finite(std::as_bytes(std::span(x)), DType::f32, pool,
                                             [&](std::uint64_t bytes) { scanned += bytes; });
    EXPECT_EQ(found.nan, 3u);
    EXPECT_EQ(found.infinite, 2u);
    EXPECT_EQ(scanned, x.size() * sizeof(float));
  }
  // More in a row than a narrow counter holds.
  const std::vector<std::byte> all(100'000, std::byte{0xff});
  ThreadPool pool(1);
  EXPECT_EQ(count_non_finite(all, DType::f8_e4m3, pool).nan, 100'000u);
  EXPECT_EQ(count_non_finite(all, DType::bf16, pool).nan, 50'000u);
  EXPECT_EQ(count_non_finite(all, DType::f64, pool).nan, 12'500u);
  EXPECT_EQ(count_non_finite(all, DType::i32, pool).nan, 0u);
}

}  // namespace
}  // namespace herd::checkpoint
