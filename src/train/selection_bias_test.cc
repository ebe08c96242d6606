#include "train/selection_bias.h"

#include <gtest/gtest.h>

#include "base/thread_pool.h"
#include "llama4/config_json.h"
#include "llama4/load.h"
#include "ops/route.h"
#include "ops/tape.h"

namespace herd::train {
namespace {

TEST(SelectionBias, ChangesTheChoiceAndNotTheScore) {
  ThreadPool pool(1);
  Context ctx(cpu_kernels(), pool);
  std::vector<float> logits{0.5f, 0.4f, -1.0f, 0.1f, 0.2f, 0.3f};
  const Tensor logits_TE{logits.data(), DType::f32, {2, 3}};
  const std::vector<float> bias{0.0f, 0.0f, 1.6f};
  const TopK plain = top_k(ctx, logits_TE, 2), biased = top_k(ctx, logits_TE, 2, bias);
  const auto experts = [](const TopK& one) {
    const auto all = one.expert_TK.as<std::int32_t>();
    return std::vector<std::int32_t>(all.begin(), all.end());
  };
  const auto scores = [](const TopK& one) {
    const auto all = one.score_TK.as<float>();
    return std::vector<float>(all.begin(), all.end());
  };
  EXPECT_EQ(experts(plain), (std::vector<std::int32_t>{0, 1, 2, 1}));
  EXPECT_EQ(experts(biased), (std::vector<std::int32_t>{2, 0, 2, 1}));
  EXPECT_EQ(scores(biased), (std::vector<float>{-1.0f, 0.5f, 0.3f, 0.2f}));
}

struct OnScout : testing::Test {
  llama4::Model model{llama4::read_config(fs::path(HERD_ROOT) / "tests/data/models/scout").value()};
};

TEST_F(OnScout, MovesTowardsEvenLoadsAndShrinksToNothing) {
  SelectionBias bias({.rate = 0.25, .anneal = 0.5}, model);
  const std::int64_t layers = model.config().text.layers;
  ASSERT_EQ(std::ssize(bias.values()), layers);
  bias.learn({{1, {10, 0, 4, 2}}, {3, {4, 4, 4, 4}}, {99, {1, 2, 3, 4}}});
  EXPECT_EQ(bias.values().at(1), (std::vector<double>{-0.25, 0.25, 0.0, 0.25}));
  EXPECT_EQ(bias.values().at(3), (std::vector<double>(4, 0.0)));
  EXPECT_EQ(largest_selection_bias(model), 0);  // not in use yet
  bias.apply(0.3);
  EXPECT_EQ(largest_selection_bias(model), 0.25);
  EXPECT_EQ(bias.largest(), 0.25);
  bias.apply(0.75);
  EXPECT_EQ(largest_selection_bias(model), 0.125);
  bias.apply(1);
  EXPECT_EQ(largest_selection_bias(model), 0);
  EXPECT_EQ(bias.values().at(1)[0], -0.25);  // what was learned stays known

  SelectionBias again({.rate = 0.25, .anneal = 0.5}, model);
  again.set_values(bias.values());
  again.apply(0.5);
  EXPECT_EQ(again.largest(), 0.25);
}

TEST_F(OnScout, WithoutARateTheModelIsLeftAlone) {
  SelectionBias bias({}, model);
  bias.learn({{1, {10, 0, 4, 2}}});
  bias.apply(0);
  EXPECT_TRUE(bias.values().empty());
  EXPECT_EQ(largest_selection_bias(model), 0);
}

}  // namespace
}  // namespace herd::train
