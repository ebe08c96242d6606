// Parameter totals of the released models, as published (spec 1.1): Scout's equals what Ollama lists for its GGUF less
// the table of RoPE factors; Guard 4's the model card's 12B.
#include "llama4/census.h"

#include <gtest/gtest.h>

namespace herd::llama4 {
namespace {

Config released(std::int64_t experts, std::int64_t moe_step) {
  Config config;
  TextConfig& text = config.text;
  text.vocabulary = 202048;
  text.width = 5120;
  text.layers = 48;
  text.heads = 40;
  text.key_value_heads = 8;
  text.head_size = 128;
  text.expert_width = 8192;
  text.dense_width = experts == 0 ? 8192 : 16384;
  text.experts = experts;
  text.chunk = 8192;
  for (std::int64_t layer = 0; layer < text.layers; ++layer) {
    text.is_moe.push_back(moe_step > 0 && (layer + 1) % moe_step == 0);
    text.rotates.push_back((layer + 1) % 4 != 0);
  }
  config.vision = VisionConfig{.width = 1408,
                               .inner_width = 5632,
                               .layers = 34,
                               .heads = 16,
                               .image_size = 336,
                               .patch_size = 14,
                               .projector_input = 4096,
                               .projector_output = 4096};
  return config;
}

TEST(Census, CountsScoutAsPublished) {
  const Census census = take_census(released(16, 1));
  EXPECT_EQ(census.total, 108'641'793'536u);
  EXPECT_EQ(census.text(), 107'769'861'120u);
  EXPECT_EQ(census.active, 17'172'894'720u);
  EXPECT_EQ(census.vision, 850'960'896u + 20'971'520u);
}

TEST(Census, CountsMaverickAsPublished) {
  const Census census = take_census(released(128, 2));
  EXPECT_EQ(census.total, 401'583'781'376u);
  EXPECT_EQ(census.active, 17'184'691'200u);
}

TEST(Census, CountsGuardAsPublished) {
  EXPECT_EQ(take_census(released(0, 0)).total, 12'001'097'216u);
}

// Spec 1.6: 12 global layers grow by 48 KiB a token, 36 local ones stop at 1.125 GiB.
TEST(Plan, LocalLayersStopGrowingAtTheirChunk) {
  const Config scout = released(16, 1);
  auto cache = [&](std::int64_t context) {
    return plan_memory(scout, 0, context, 512, DType::bf16).cache;
  };
  EXPECT_EQ(cache(8192), 3ull << 29);
  EXPECT_EQ(cache(262'144), (12ull << 30) + 1'207'959'552u);
  EXPECT_EQ(cache(10'485'760), (480ull << 30) + 1'207'959'552u);
}

TEST(Plan, RefusesWithArithmeticAndNamesTheContextThatFits) {
  const Config scout = released(16, 1);
  const MemoryLimits limits{
      .physical = 64ull << 30, .available = 60ull << 30, .bound_by = "free memory"};
  const MemoryPlan plan = plan_memory(scout, 40ull << 30, 1 << 20, 512, DType::bf16);
  const auto refused = check_fits(scout, plan, 512, DType::bf16, limits);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::memory_plan);
  const std::int64_t context =
      largest_context(scout, 40ull << 30, 1 << 20, 512, DType::bf16, limits.available);
  EXPECT_NE(refused.error().hint.find(std::to_string(context)), std::string::npos);
  auto total = [&](std::int64_t c) {
    return plan_memory(scout, 40ull << 30, c, 512, DType::bf16).total();
  };
  EXPECT_LE(total(context), limits.available);
  EXPECT_GT(total(context + 64), limits.available);
}

}  // namespace
}  // namespace herd::llama4
