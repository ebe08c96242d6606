// The published facts of Llama 4's attention: frequencies, temperatures, and who sees whom (spec 2.3 to 2.5, 9.2, 9.3).
#include "llama4/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/thread_pool.h"

namespace herd::llama4 {
namespace {

TEST(RopeFrequencies, ScoutKeeps35PairsAndDividesTheRestBy16) {
  TextConfig plain, scout;
  plain.head_size = scout.head_size = 128;
  scout.rope_scaling = RopeScaling{};
  const auto base = rope_frequencies(plain), scaled = rope_frequencies(scout);
  ASSERT_EQ(base.size(), 64u);
  for (std::size_t i = 0; i < 64; ++i)
    EXPECT_FLOAT_EQ(base[i] / scaled[i], i < 35 ? 1.0f : 16.0f) << "pair " << i;
}

TEST(RopeFrequencies, BlendsBetweenLowAndHighAsTheOldScoutConfigDid) {
  TextConfig plain, old;
  plain.head_size = old.head_size = 128;
  old.rope_scaling = RopeScaling{.factor = 8.0, .high_frequency_factor = 4.0};
  const auto base = rope_frequencies(plain), scaled = rope_frequencies(old);
  constexpr std::array blended{1.20748, 1.55341, 2.02631, 2.69453, 3.68425, 5.25733};
  for (std::size_t i = 0; i < 64; ++i) {
    const double wanted = i <= 28 ? 1.0 : i >= 35 ? 8.0 : blended[i - 29];
    EXPECT_NEAR(static_cast<double>(base[i]) / static_cast<double>(scaled[i]), wanted, 1e-5) << i;
  }
}

TEST(AttentionTemperature, IsExactlyOneBelowTheFloorAndFollowsTheTable) {
  for (std::int64_t p = 0; p <= 8190; ++p) ASSERT_EQ(attention_temperature(p, 8192, 0.1f), 1.0f);
  EXPECT_NEAR(attention_temperature(8191, 8192, 0.1f), 1.0693147, 1e-6);
  EXPECT_NEAR(attention_temperature(131'071, 8192, 0.1f), 1.2833213, 1e-6);
  EXPECT_NEAR(attention_temperature(1'048'575, 8192, 0.1f), 1.4859813, 1e-6);
  EXPECT_NEAR(attention_temperature(10'485'759, 8192, 0.1f), 1.7155397, 1e-6);
}

// At position p a local layer sees (p mod W) + 1 keys, a global one p + 1.
TEST(Batch, GivesEveryRowTheKeysOfItsChunkOrOfAllThePast) {
  constexpr std::int64_t chunk = 8;
  nn::KvShape shape;
  shape.chunk = {chunk, 0};
  shape.heads = 1;
  shape.head_size = 2;
  shape.dtype = DType::f32;
  auto cache = nn::KvCache::create(shape, 200);
  ASSERT_TRUE(cache.has_value());
  ThreadPool pool(1);
  Context ctx(ref_kernels(), pool);
  for (std::int64_t p = 0; p < 200;) {
    const std::int64_t count = std::min<std::int64_t>(1 + p % 5, chunk - p % chunk);
    const std::vector<std::int32_t> tokens(static_cast<std::size_t>(count), 1);
    nn::CachedBatch batch;
    batch.add(*cache, tokens);
    Tensor kv = ctx.empty({count, 1, 2});
    const Keys local = batch.keys(ctx, 0, kv, kv), global = batch.keys(ctx, 1, kv, kv);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = static_cast<std::size_t>(i);
      EXPECT_EQ(local.rows[row].count - local.rows[row].first, (p + i) % chunk + 1);
      EXPECT_EQ(global.rows[row].count - global.rows[row].first, p + i + 1);
    }
    batch.commit();
    p += count;
  }
}

// Turning pairs (2i, 2i+1) is turning halves (i, i + d/2) of permuted rows: scores do not change.
TEST(Rope, InterleavedAndHalfRotationsGiveTheSameScores) {
  constexpr std::int64_t d = 8;
  ThreadPool pool(1);
  Context ctx(ref_kernels(), pool);
  const std::vector<float> frequency{1.0f, 0.3f, 0.1f, 0.01f};
  const std::vector<std::int64_t> position{3, 11};
  Tensor x = ctx.empty({2, 1, d});
  for (std::size_t i = 0; i < 2 * d; ++i) x.as<float>()[i] = std::cos(static_cast<float>(3 * i));
  const Tensor y = rope(ctx, x, rope_angles(ctx, position, frequency));
  auto score = [&](auto&& at) {
    double sum = 0;
    for (std::size_t i = 0; i < d; ++i) sum += at(0, i) * at(1, i);
    return sum;
  };
  auto halves = [&](std::size_t row, std::size_t i) {
    const std::size_t pair = i % (d / 2);
    const double angle = static_cast<double>(position[row]) * static_cast<double>(frequency[pair]);
    const double re = x.as<float>()[row * d + 2 * pair], im = x.as<float>()[row * d + 2 * pair + 1];
    return i < d / 2 ? re * std::cos(angle) - im * std::sin(angle)
                     : re * std::sin(angle) + im * std::cos(angle);
  };
  auto pairs = [&](std::size_t row, std::size_t i) {
    return static_cast<double>(y.as<float>()[row * d + i]);
  };
  EXPECT_NEAR(score(pairs), score(halves), 1e-5);
}

}  // namespace
}  // namespace herd::llama4
