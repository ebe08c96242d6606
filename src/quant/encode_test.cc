// Encoding: the small formats against the blocks that the `gguf` package makes, int4 against Meta's
// (tools/reference/make_quant.py), the others by what is lost.
#include "quant/encode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/file.h"
#include "base/rng.h"
#include "quant/formats.h"

namespace herd::quant {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes encoded(DType type, const std::vector<float>& x, const float* importance = nullptr) {
  const auto n = static_cast<std::int64_t>(x.size());
  Bytes out(static_cast<std::size_t>(bytes_of(type, n)));
  encode_row(type, x.data(), n, out.data(), importance);
  return out;
}

std::vector<float> there_and_back(DType type, const std::vector<float>& x,
                                  const float* importance = nullptr) {
  const Bytes blocks = encoded(type, x, importance);
  std::vector<float> out(x.size());
  decode_row(type, blocks.data(), out.data(), static_cast<std::int64_t>(out.size()));
  return out;
}

std::vector<float> normal_numbers(std::size_t n, std::uint64_t seed) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    double sum = -6;  // of twelve uniform numbers: near enough to normal
    for (std::uint64_t k = 0; k < 12; ++k) sum += uniform(seed, 12 * i + k);
    out[i] = static_cast<float>(0.02 * sum);
  }
  return out;
}

// Root of the mean square error beside that of the numbers.
double relative_error(const std::vector<float>& x, const std::vector<float>& y) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += std::pow(double{x[i]} - double{y[i]}, 2);
    size += std::pow(double{x[i]}, 2);
  }
  return std::sqrt(error / size);
}

class AsReference : public testing::TestWithParam<DType> {};

TEST_P(AsReference, MakesTheVeryBlocks) {
  const DTypeRow& row = row_of(GetParam());
  const auto path =
      fs::path(HERD_ROOT) / "tests/data/quant" / fmt::format("{}.encoded.bin", row.name);
  const auto file = read_file(path, 1 << 20);
  ASSERT_TRUE(file) << file.error().message;
  const std::size_t blocks = file->size() / (row.bytes + row.block * sizeof(float));
  ASSERT_EQ(blocks, 6u);
  std::vector<float> x(blocks * row.block);
  std::memcpy(x.data(), file->data(), x.size() * sizeof(float));
  const Bytes got = encoded(row.type, x);
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(got[i], static_cast<std::uint8_t>((*file)[x.size() * sizeof(float) + i]))
        << "byte " << i % row.bytes << " of block " << i / row.bytes;
}

INSTANTIATE_TEST_SUITE_P(Quant, AsReference,
                         testing::Values(DType::q8_0, DType::q4_0, DType::q4_1, DType::q5_0,
                                         DType::q5_1, DType::mxfp4, DType::int4),
                         [](const auto& one) { return std::string(row_of(one.param).name); });

struct Loss {
  DType type;
  double most;  // of normal numbers, relative
};

class Searched : public testing::TestWithParam<Loss> {};

TEST_P(Searched, LosesNoMoreThanItsBitsMust) {
  const auto x = normal_numbers(64 * 256, 1);
  EXPECT_LT(relative_error(x, there_and_back(GetParam().type, x)), GetParam().most);
}

// What blocks can say exactly must survive, whatever the search finds on the way.
TEST_P(Searched, KeepsZerosAndConstants) {
  const auto zeros = there_and_back(GetParam().type, std::vector<float>(256, 0.0f));
  for (const float value : zeros) ASSERT_EQ(value, 0.0f);
  const auto ones = there_and_back(GetParam().type, std::vector<float>(256, 0.5f));
  for (const float value : ones) ASSERT_NEAR(value, 0.5f, 0.5f * 0.02f);
}

TEST_P(Searched, ImportantNumbersAreKeptBetter) {
  const auto x = normal_numbers(64 * 256, 2);
  std::vector<float> importance(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) importance[i] = i % 4 == 0 ? 100.0f : 1.0f;
  const auto plain = there_and_back(GetParam().type, x);
  const auto weighted = there_and_back(GetParam().type, x, importance.data());
  double error_plain = 0, error_weighted = 0;
  for (std::size_t i = 0; i < x.size(); i += 4) {
    error_plain += std::pow(double{x[i]} - double{plain[i]}, 2);
    error_weighted += std::pow(double{x[i]} - double{weighted[i]}, 2);
  }
  EXPECT_LT(error_weighted, 0.97 * error_plain);
}

INSTANTIATE_TEST_SUITE_P(Quant, Searched,
                         testing::Values(Loss{DType::q2_k, 0.264}, Loss{DType::q3_k, 0.17},
                                         Loss{DType::q4_k, 0.0695}, Loss{DType::q5_k, 0.0345},
                                         Loss{DType::q6_k, 0.021}, Loss{DType::iq4_nl, 0.078},
                                         Loss{DType::iq4_xs, 0.078}, Loss{DType::iq3_s, 0.134},
                                         Loss{DType::iq3_xxs, 0.182}, Loss{DType::iq2_s, 0.247},
                                         Loss{DType::iq2_xs, 0.295}, Loss{DType::iq2_xxs, 0.337},
                                         Loss{DType::iq1_m, 0.422}, Loss{DType::iq1_s, 0.460}),
                         [](const auto& one) { return std::string(row_of(one.param.type).name); });

// The vectors that were chosen beside the best of all, at the scales that were chosen: lists of neighbours may miss
// one now and then, but not cost much.
TEST(Encode, FindsNearlyTheBestVectorsOfTheGrid) {
  const auto x = normal_numbers(16 * 256, 3);
  std::vector<float> importance(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    importance[i] = static_cast<float>(0.1 + uniform(9, i % 256));
  const Bytes bytes = encoded(DType::iq2_s, x, importance.data());
  const auto* blocks = static_cast<const IQ2_S*>(static_cast<const void*>(bytes.data()));
  const auto y = there_and_back(DType::iq2_s, x, importance.data());
  double chosen = 0, best = 0;
  for (std::size_t octet = 0; octet < x.size() / 8; ++octet) {
    const IQ2_S& b = blocks[octet / 32];
    const std::size_t k = octet % 32;
    const float scale = quarter_scale(to_float(b.d), (b.scales[k / 4] >> (k / 2 % 2 * 4)) & 15u);
    double least = 1e30;
    for (const unsigned vector : iq2_s_grid) {
      std::array<float, 8> at{};
      decode_eight_of_2(vector, 0, scale, at.data());
      double sum = 0;
      for (std::size_t i = 0; i < 8; ++i)
        sum += double{importance[8 * octet + i]} *
               std::pow(std::fabs(double{x[8 * octet + i]}) - double{at[i]}, 2);
      least = std::min(least, sum);
    }
    best += least;
    for (std::size_t i = 8 * octet; i < 8 * octet + 8; ++i)
      chosen += double{importance[i]} * std::pow(double{x[i]} - double{y[i]}, 2);
  }
  EXPECT_LT(chosen, 1.02 * best);
}

// At the scale of least squared error, the product with what they stand for falls short of the numbers' own squares by
// the squared error.
TEST(Encode, VectorsOfAGridKeepHalfOfTheLengthTheyWouldLose) {
  const auto x = normal_numbers(64 * 256, 6);
  for (const DType type :
       {DType::iq2_s, DType::iq2_xs, DType::iq2_xxs, DType::iq1_m, DType::iq1_s}) {
    const auto y = there_and_back(type, x);
    double xx = 0, xy = 0, yy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      xx += double{x[i]} * double{x[i]};
      xy += double{x[i]} * double{y[i]};
      yy += double{y[i]} * double{y[i]};
    }
    const double least_error = 1 - xy * xy / (xx * yy);  // of any length
    EXPECT_NEAR(1 - xy / xx, 0.5 * least_error, 0.1 * least_error) << row_of(type).name;
  }
}

// What vectors of a grid cannot say without raising what counts more is better left near zero.
TEST(Encode, ALoneNumberThatHardlyCountsDoesNotRaiseItsNeighbours) {
  std::vector<float> x(256, 0.0f), importance(256, 100.0f);
  x[0] = importance[0] = 1.0f;
  for (const DType type : {DType::iq3_s, DType::iq3_xxs, DType::iq2_s, DType::iq2_xs,
                           DType::iq2_xxs, DType::iq1_m, DType::iq1_s}) {
    const auto y = there_and_back(type, x, importance.data());
    double error = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      error += double{importance[i]} * std::pow(double{x[i]} - double{y[i]}, 2);
    EXPECT_LT(error, 1.2) << row_of(type).name;  // 1 with nothing but zeros
  }
}

// A damaged checkpoint may hold anything. Nothing may trap (sanitizers), and one infinite number leaves others finite.
TEST(Encode, NumbersThatAreNoneDoNoHarm) {
  constexpr float infinite = std::numeric_limits<float>::infinity();
  for (const DTypeRow& row : dtype_table) {
    if (!is_quantized(row.type) || !can_encode(row.type)) continue;
    for (const float odd :
         {infinite, -infinite, std::numeric_limits<float>::quiet_NaN(), 3e38f, -1e8f}) {
      auto x = normal_numbers(256, 7);
      x[3] = odd;
      const auto y = there_and_back(row.type, x);
      ASSERT_EQ(y.size(), x.size());
      if (row.name.starts_with("iq2") && odd == infinite) {
        for (const float value : y) ASSERT_TRUE(std::isfinite(value)) << row.name;
      }
    }
  }
}

// Formats that are as the reference without importances.
class Weighed : public testing::TestWithParam<DType> {};

TEST_P(Weighed, ImportantNumbersAreKeptBetter) {
  const auto x = normal_numbers(64 * 256, 5);
  std::vector<float> importance(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) importance[i] = i % 4 == 0 ? 20.0f : 1.0f;
  const auto plain = there_and_back(GetParam(), x);
  const auto weighed = there_and_back(GetParam(), x, importance.data());
  double error_plain = 0, error_weighed = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error_plain += double{importance[i]} * std::pow(double{x[i]} - double{plain[i]}, 2);
    error_weighed += double{importance[i]} * std::pow(double{x[i]} - double{weighed[i]}, 2);
  }
  EXPECT_LT(error_weighed, 0.9 * error_plain);
}

INSTANTIATE_TEST_SUITE_P(Quant, Weighed,
                         testing::Values(DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1),
                         [](const auto& one) { return std::string(row_of(one.param).name); });

TEST(Encode, KnowsWhatItCannot) {
  EXPECT_FALSE(can_encode(DType::q8_k));
  EXPECT_FALSE(can_encode(DType::i32));
  EXPECT_TRUE(can_encode(DType::q4_k));
  EXPECT_TRUE(can_encode(DType::bf16));
}

}  // namespace
}  // namespace herd::quant
