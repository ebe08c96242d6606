#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/json.h"
#include "base/options_json.h"

namespace herd::engine {
namespace {

template <typename T>
std::vector<T> numbers(const json::value& array) {
  std::vector<T> out;
  for (const json::value& value : array.as_array()) out.push_back(value.to_number<T>());
  return out;
}

// tests/data/sampling/cases.json: what transformers' processors leave, by tools/reference/make_sampling.py.
TEST(Sampler, LeavesTheDistributionThatTransformersLeaves) {
  const auto cases = read_json(HERD_ROOT "/tests/data/sampling/cases.json");
  ASSERT_TRUE(cases.has_value());
  ASSERT_GE(cases->as_array().size(), 30u);
  for (const json::value& one : cases->as_array()) {
    SCOPED_TRACE(json::serialize(one.at("options")));
    SamplingOptions options;
    ASSERT_TRUE(set_options_from_json(options, one.at("options").as_object()).has_value());
    Sampler sampler(options);
    const auto found =
        sampler.choices(numbers<float>(one.at("logits")), numbers<std::int32_t>(one.at("prompt")),
                        numbers<std::int32_t>(one.at("answer")));
    ASSERT_TRUE(found.has_value());
    const json::array& wanted = one.at("choices").as_array();
    ASSERT_EQ(found->size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ((*found)[i].token, wanted[i].at(0).to_number<std::int32_t>());
      EXPECT_NEAR((*found)[i].probability, wanted[i].at(1).to_number<double>(), 1e-6);
    }
  }
}

TEST(Sampler, DrawsAsOftenAsTheProbabilitiesSay) {
  const std::vector<float> logits{std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  std::array<int, 3> counts{};
  constexpr int draws = 20'000;
  for (int seed = 0; seed < draws; ++seed) {
    Sampler sampler({.temperature = 1.0, .top_p = 1.0, .seed = seed});
    ++counts[static_cast<std::size_t>(*sampler.sample(logits, {}, {}))];
  }
  // Five standard deviations of a binomial count.
  EXPECT_NEAR(counts[0], 0.5 * draws, 5 * std::sqrt(0.25 * draws));
  EXPECT_NEAR(counts[1], 0.3 * draws, 5 * std::sqrt(0.21 * draws));
  EXPECT_NEAR(counts[2], 0.2 * draws, 5 * std::sqrt(0.16 * draws));
}

TEST(Sampler, WhatCannotComeIsNoChoiceNotEvenByRounding) {
  constexpr float never = -std::numeric_limits<float>::infinity();
  const std::vector<float> logits{never, 1.0f, never, 0.5f, never};
  Sampler sampler({.temperature = 1.0, .top_p = 1.0});
  const auto choices = sampler.choices(logits, {}, {});
  ASSERT_TRUE(choices.has_value());
  ASSERT_EQ(choices->size(), 2u);
  EXPECT_EQ((*choices)[0].token, 1);
  EXPECT_EQ((*choices)[1].token, 3);
}

TEST(Sampler, TheSameSeedAndPlaceGiveTheSameToken) {
  std::vector<float> logits(1000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(static_cast<float>(i));
  const std::vector<std::int32_t> answer{1, 2, 3};
  Sampler one({.temperature = 1.5, .top_p = 1.0, .seed = 5});
  Sampler two({.temperature = 1.5, .top_p = 1.0, .seed = 5});
  (void)two.sample(logits, {}, {});  // what was drawn before does not matter
  EXPECT_EQ(*one.sample(logits, {}, answer), *two.sample(logits, {}, answer));
}

TEST(Sampler, GreedyTakesTheLowestOfEqualTokens) {
  Sampler sampler({.temperature = 0.0});
  EXPECT_EQ(*sampler.sample(std::vector<float>{1, 3, 3, 2}, {}, {}), 1);
}

TEST(Sampler, NeverSamplesFromNumbersThatAreNone) {
  Sampler sampler({});
  EXPECT_EQ(sampler.sample(std::vector<float>{1, NAN}, {}, {}).error().code, Code::numeric_error);
  EXPECT_EQ(sampler.sample(std::vector<float>{-INFINITY, -INFINITY}, {}, {}).error().code,
            Code::numeric_error);
  EXPECT_EQ(sampler.sample(std::vector<float>{INFINITY, 0}, {}, {}).error().code,
            Code::numeric_error);
  EXPECT_EQ(*sampler.sample(std::vector<float>{-INFINITY, 0}, {}, {}), 1);
}

}  // namespace
}  // namespace herd::engine
