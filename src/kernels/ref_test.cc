// The reference kernels against numbers worked out by hand or by another formula in float64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/table.h"
#include "tensor/float_bits.h"

namespace herd {
namespace {

using testing::ElementsAre;
using testing::FloatEq;
using testing::FloatNear;
using testing::Pointwise;

const KernelTable& ref = ref_kernels();
constexpr Lane lane{};

TEST(FloatBits, KnownNumbers) {
  EXPECT_EQ(f32_of_bf16(0x3fc0), 1.5f);
  EXPECT_EQ(f32_of_f16(0x3e00), 1.5f);
  EXPECT_EQ(f32_of_f16(0x0001), 0x1p-24f);
  EXPECT_EQ(f32_of_f16(0xfbff), -65504.0f);
  EXPECT_TRUE(std::isinf(f32_of_f16(0x7c00)));
  EXPECT_TRUE(std::isnan(f32_of_f16(0x7e00)));
  EXPECT_EQ(f32_of_f8_e4m3(0x7e), 448.0f);
  EXPECT_EQ(f32_of_f8_e4m3(0x01), 0x1p-9f);
  EXPECT_EQ(f32_of_f8_e4m3(0xb8), -1.0f);
  EXPECT_TRUE(std::isnan(f32_of_f8_e4m3(0x7f)));
}

TEST(FloatBits, Bf16RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(bf16_of_f32(1.0f), 0x3f80);
  EXPECT_EQ(bf16_of_f32(1.0f + 0x1p-8f), 0x3f80);             // a tie: down to even
  EXPECT_EQ(bf16_of_f32(1.0f + 0x1p-7f + 0x1p-8f), 0x3f82);   // a tie: up to even
  EXPECT_EQ(bf16_of_f32(1.0f + 0x1p-8f + 0x1p-20f), 0x3f81);  // past the tie
  EXPECT_EQ(bf16_of_f32(3.4028235e38f), 0x7f80);              // rounds to infinity
  EXPECT_TRUE(std::isnan(f32_of_bf16(bf16_of_f32(std::bit_cast<float>(0x7f800001u)))));
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = f32_of_bf16(static_cast<std::uint16_t>(bits));
    if (!std::isnan(value)) {
      ASSERT_EQ(bf16_of_f32(value), bits);
    }
  }
}

TEST(RefMatmul, MultipliesBothLayoutsWithScaleBiasAndColumns) {
  // w(o, i) = [[1, 2, 3], [4, 5, 6]]; x = [1, 10, 100].
  const std::vector<float> out_in{1, 2, 3, -9, 4, 5, 6, -9};  // stride 4
  const std::vector<float> in_out{1, 4, 2, 5, 3, 6};          // stride 2
  const std::vector<float> scale{2, 0.5f}, bias{1, -1};
  const std::vector<float> x{0, 0, 0, 1, 10, 100};
  std::vector<float> y(2 * 5, -7);
  const MatmulGroup groups[]{
      {.weight = {out_in.data(), DType::f32, Layout::out_in, 2, 3, 4, nullptr},
       .row_begin = 1,
       .row_end = 2},
      {.weight = {in_out.data(), DType::f32, Layout::in_out, 2, 3, 2, scale.data()},
       .bias = bias.data(),
       .row_begin = 1,
       .row_end = 2,
       .y_column = 3},
      {.weight = {in_out.data(), DType::f32, Layout::in_out, 2, 3, 2, nullptr}},  // no rows
  };
  ref.matmul({.x = x.data(),
              .x_stride = 3,
              .y = y.data(),
              .y_stride = 5,
              .groups = groups,
              .num_groups = 3},
             lane);
  EXPECT_THAT(y, ElementsAre(-7, -7, -7, -7, -7, 321, 654, -7, 643, 326));
}

TEST(RefMatmul, ReadsEveryWeightType) {
  const std::vector<std::uint16_t> bf16{0x3fc0, 0xc000}, f16{0x3e00, 0xc000};  // 1.5, -2
  const std::vector<std::uint8_t> f8{0x3c, 0xc0};                              // 1.5, -2
  const std::vector<float> f32{1.5f, -2}, x{3, 1};
  const std::pair<DType, const void*> cases[]{{DType::f32, f32.data()},
                                              {DType::bf16, bf16.data()},
                                              {DType::f16, f16.data()},
                                              {DType::f8_e4m3, f8.data()}};
  for (const auto& [dtype, data] : cases) {
    float y = 0;
    const MatmulGroup group{.weight = {data, dtype, Layout::out_in, 1, 2, 2, nullptr},
                            .row_end = 1};
    ref.matmul(
        {.x = x.data(), .x_stride = 2, .y = &y, .y_stride = 1, .groups = &group, .num_groups = 1},
        lane);
    EXPECT_EQ(y, 2.5f) << row_of(dtype).name;
  }
}

TEST(RefNorm, RmsAndLayerNormLiterals) {
  const std::vector<float> x{3, 4}, weight{2, 10}, bias{1, 2};
  std::vector<float> y(2);
  // mean square 12.5; with eps 12.5 the root is 5.
  ref.rms_norm({x.data(), weight.data(), y.data(), 1, 2, 12.5f}, lane);
  EXPECT_THAT(y, ElementsAre(FloatEq(1.2f), FloatEq(8.0f)));
  ref.rms_norm({x.data(), nullptr, y.data(), 1, 2, 12.5f}, lane);
  EXPECT_THAT(y, ElementsAre(FloatEq(0.6f), FloatEq(0.8f)));
  // mean 3.5, variance 0.25; with eps 0.75 the root is 1.
  ref.layer_norm({x.data(), weight.data(), bias.data(), y.data(), 1, 2, 0.75f}, lane);
  EXPECT_THAT(y, ElementsAre(FloatEq(0.0f), FloatEq(7.0f)));
}

TEST(RefRope, RotatesNeighbours) {
  const std::vector<float> x{1, 0, 0, 2, 5, 5, 9, 9}, cos{0, 1}, sin{1, 0};
  std::vector<float> y(9, -7);
  ref.rope({x.data(), cos.data(), sin.data(), y.data(), 1, 2, 4, 8, 9}, lane);
  EXPECT_THAT(y, ElementsAre(0, 1, 0, 2, -5, 5, 9, 9, -7));
}

TEST(RefAttend, FollowsTheFormulaAcrossBlocksAndHeads) {
  // Two key/value heads of size 1, four query heads; keys 62..65 of a table of two blocks, key value ln(j), value j.
  const std::int64_t span = 2 * keys_per_block;
  std::vector<float> key(static_cast<std::size_t>(2 * span), 1e9f), value(key);
  const auto at = [](std::int64_t index, std::int64_t g) {
    return static_cast<std::size_t>((index / keys_per_block * 2 + g) * keys_per_block +
                                    index % keys_per_block);
  };
  for (int j = 1; j <= 4; ++j)
    for (int g = 0; g < 2; ++g) {
      key[at(61 + j, g)] = std::log(static_cast<float>(j)) * (g == 0 ? 1.0f : 2.0f);
      value[at(61 + j, g)] = static_cast<float>(j);
    }
  const void* keys[]{key.data(), key.data() + span};
  const void* values[]{value.data(), value.data() + span};
  const AttendRow row{keys, values, 62, 66};
  const std::vector<float> q{0, 2, 2, 1};
  std::vector<float> o(4);
  ref.attend({.q = q.data(),
              .o = o.data(),
              .rows = &row,
              .T = 1,
              .N = 4,
              .G = 2,
              .d = 1,
              .q_stride = 4,
              .o_stride = 4,
              .scale = 0.5f},
             lane);
  // Weights: 1; j; j^2; j. Means: 10/4; 30/10; 100/30; 30/10.
  EXPECT_THAT(o, Pointwise(FloatNear(1e-6f), {2.5f, 3.0f, 100.0f / 30, 3.0f}));
}

TEST(RefStoreKv, WritesTheSlotInBothTypes) {
  const std::vector<float> x{1.0f + 0x1p-8f, 2, 3, 4};  // G = 2, d = 2
  const std::int32_t within = 61;
  for (const KvPart part : {KvPart::keys, KvPart::values}) {
    std::vector<float> f32(2 * 64 * 2), want(f32.size());
    std::vector<std::uint16_t> bf16(f32.size()), want16(f32.size());
    void* blocks[]{f32.data()};
    ref.store_kv({part, x.data(), blocks, &within, DType::f32, 1, 2, 2, 4}, lane);
    blocks[0] = bf16.data();
    ref.store_kv({part, x.data(), blocks, &within, DType::bf16, 1, 2, 2, 4}, lane);
    for (std::size_t i : {0u, 1u, 2u, 3u}) {
      const std::size_t g = i / 2, e = i % 2;
      const std::size_t at =
          part == KvPart::keys ? g * 128 + e * 64 + within : (g * 64 + within) * 2 + e;
      want[at] = x[i];
      want16[at] = bf16_of_f32(x[i]);
    }
    EXPECT_EQ(f32, want);
    EXPECT_EQ(bf16, want16);
  }
}

TEST(RefElementwise, Literals) {
  std::vector<float> y(2);
  const std::vector<float> gate_up{0, 1, 5, 3}, x{1, -2}, b{10, 20};
  ref.silu_mul({gate_up.data(), y.data(), 1, 2}, lane);
  EXPECT_THAT(y, ElementsAre(0, FloatEq(2.1931758f)));  // 3 / (1 + 1/e)
  ref.gelu({x.data(), y.data(), 2}, lane);
  EXPECT_THAT(y, ElementsAre(FloatEq(0.84134475f), FloatEq(-0.045500264f)));  // x * Phi(x)
  ref.sigmoid({x.data(), y.data(), 2}, lane);
  EXPECT_THAT(y, ElementsAre(FloatEq(0.7310586f), FloatEq(0.11920292f)));
  ref.add({x.data(), b.data(), y.data(), 2}, lane);
  EXPECT_THAT(y, ElementsAre(11, 18));
  ref.scale_rows({x.data(), b.data(), y.data(), 2, 1, 1, 1}, lane);
  EXPECT_THAT(y, ElementsAre(10, -40));
}

TEST(RefRows, GatherAndGatherAdd) {
  const std::vector<std::uint16_t> table{0x3f80, 0x4000, 0x4040, 0x4080};  // [[1, 2], [3, 4]]
  const std::vector<std::int32_t> row{1, 0};
  const std::vector<float> factor{10, 0.5f};
  std::vector<float> y(4);
  ref.gather({table.data(), DType::bf16, row.data(), factor.data(), y.data(), 2, 2}, lane);
  EXPECT_THAT(y, ElementsAre(30, 40, 0.5f, 1));
  const std::vector<float> base{100, 200};
  std::vector<float> sum(2);
  ref.gather_add({base.data(), y.data(), row.data(), sum.data(), 1, 2, 2}, lane);
  EXPECT_THAT(sum, ElementsAre(130.5f, 241));
}

TEST(RefTopK, DescendingTiesToTheLowestIndexNanLast) {
  const std::vector<float> x{1, 3, 3, NAN, 2, -INFINITY};
  std::vector<float> value(6);
  std::vector<std::int32_t> index(6);
  ref.top_k({x.data(), value.data(), index.data(), 1, 6, 6}, lane);
  EXPECT_THAT(index, ElementsAre(1, 2, 4, 0, 5, 3));
  ref.top_k({x.data(), value.data(), index.data(), 2, 3, 1}, lane);
  EXPECT_EQ(index[0], 1);
  EXPECT_EQ(index[1], 1);
}

}  // namespace
}  // namespace herd
