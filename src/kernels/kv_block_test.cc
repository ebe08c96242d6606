// The arrangement of keys and values as integers against the encoder of the formats.
#include "kernels/kv_block.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "kernels/testing/cases.h"
#include "quant/encode.h"
#include "quant/formats.h"

namespace herd {
namespace {

std::vector<float> random_row(test::Draw& draw, std::int64_t d) {
  std::vector<float> row;
  for (std::int64_t i = 0; i < d; ++i) row.push_back(draw.number());
  return row;
}

TEST(KvBlock, RotationIsTheMatrixOfHadamardAndItsOwnInverse) {
  test::Draw draw(1);
  for (const auto& [d, whole] :
       {std::pair{128, 128}, {64, 64}, {32, 32}, {96, 32}, {1, 1}, {6, 2}}) {
    const std::vector<float> row = random_row(draw, d);
    std::vector<float> turned = row;
    rotate(turned.data(), d);
    for (int i = 0; i < d; ++i) {
      double sum =
          0;  // of Sylvester's construction: the sign is the parity of the bits that i and j share
      for (int j = 0; j < whole; ++j) {
        const auto shared = static_cast<unsigned>(i % whole & j);
        const float x = row[static_cast<std::size_t>(i / whole * whole + j)];
        sum += std::popcount(shared) % 2 == 0 ? double{x} : -double{x};
      }
      EXPECT_NEAR(double{turned[static_cast<std::size_t>(i)]}, sum / std::sqrt(whole), 1e-5) << d;
    }
    rotate(turned.data(), d);
    for (std::size_t i = 0; i < row.size(); ++i) EXPECT_NEAR(turned[i], row[i], 2e-6) << d;
  }
}

TEST(KvBlock, HoldsWhatTheEncoderOfTheFormatSaysRowByRow) {
  constexpr std::int64_t G = 2;
  test::Draw draw(2);
  for (const DType dtype : {DType::q8_0, DType::q4_0})
    for (const KvPart part : {KvPart::keys, KvPart::values})
      for (const std::int64_t d : {32, 96, 128}) {
        std::vector<std::uint16_t> block(
            static_cast<std::size_t>(bytes_of(dtype, G * keys_per_block * d) / 2));
        std::vector<std::vector<float>> wanted;  // [64 * G][d]
        std::vector<float> row(static_cast<std::size_t>(d));
        for (std::int32_t within = 0; within < keys_per_block; ++within) {
          std::vector<float> x = random_row(draw, G * d);
          void* const where = block.data();
          store_kv_codes({.part = part,
                          .x = x.data(),
                          .block = &where,
                          .within = &within,
                          .dtype = dtype,
                          .T = 1,
                          .G = G,
                          .d = d,
                          .x_stride = G * d},
                         row);
          for (std::int64_t g = 0; g < G; ++g) {
            std::vector<std::uint8_t> encoded(static_cast<std::size_t>(bytes_of(dtype, d)));
            rotate(x.data() + g * d, d);
            quant::encode_row(dtype, x.data() + g * d, d, encoded.data());
            wanted.emplace_back(static_cast<std::size_t>(d));
            quant::decode_row(dtype, encoded.data(), wanted.back().data(), d);
          }
        }
        // After all were written, so that one which spoils another is seen.
        for (std::int64_t within = 0; within < keys_per_block; ++within)
          for (std::int64_t g = 0; g < G; ++g) {
            read_kv_codes(part, dtype, block.data(), within, g, d, row.data());
            EXPECT_EQ(row, wanted[static_cast<std::size_t>(within * G + g)])
                << row_of(dtype).name << " d " << d << " row " << within << " head " << g;
          }
      }
}

// What the rotation is for.
TEST(KvBlock, OneLargeNumberCostsTheOthersLittle) {
  constexpr std::int64_t d = 128;
  test::Draw draw(3);
  double plain = 0, rotated = 0;
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::vector<float> row = random_row(draw, d);
    row[17] = 40;
    const auto error = [&](const std::vector<float>& x) {
      std::vector<std::uint8_t> encoded(static_cast<std::size_t>(bytes_of(DType::q4_0, d)));
      std::vector<float> back(d);
      quant::encode_row(DType::q4_0, x.data(), d, encoded.data());
      quant::decode_row(DType::q4_0, encoded.data(), back.data(), d);
      double sum = 0;
      for (std::size_t i = 0; i < d; ++i) sum += std::pow(double{back[i]} - double{x[i]}, 2);
      return sum;
    };
    plain += error(row);
    rotate(row.data(), d);
    rotated += error(row);
  }
  EXPECT_LT(rotated, plain / 2);
}

TEST(KvBlock, IntegersTakeWholeGroups) {
  EXPECT_TRUE(can_keep_kv(DType::bf16, 24));
  EXPECT_TRUE(can_keep_kv(DType::f32, 1));
  EXPECT_TRUE(can_keep_kv(DType::q8_0, 128));
  EXPECT_FALSE(can_keep_kv(DType::q4_0, 48));
  EXPECT_FALSE(can_keep_kv(DType::q6_k, 256));
}

}  // namespace
}  // namespace herd
