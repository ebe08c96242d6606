#include "train/source_mixture.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"

namespace herd::train {
namespace {

// Examples that say which source they are of and which of its examples; of `least` to 2 * least tokens.
class Numbers final : public Source {
 public:
  Numbers(std::int32_t name, std::size_t least) : name_(name), least_(least) {}

  [[nodiscard]] Result<Example> at(std::uint64_t index) const override {
    const std::size_t length = least_ + philox(1, index)[0] % (least_ + 1);
    Example example;
    example.prompt.tokens.assign(length, name_);
    example.prompt.tokens[1] = static_cast<std::int32_t>(index);
    example.weight.assign(length, 1.0f);
    return example;
  }

 private:
  std::int32_t name_;
  std::size_t least_;
};

std::vector<SourceMixture::Part> three() {
  const struct {
    std::size_t least;
    double share;
  } wanted[] = {{10, 3}, {400, 6}, {40, 1}};
  std::vector<SourceMixture::Part> parts;
  for (const auto& [least, share] : wanted) {
    auto source = std::make_unique<Numbers>(static_cast<std::int32_t>(parts.size()), least);
    const double tokens = source->mean_tokens(1 << 20).value();
    parts.push_back({std::move(source), share, tokens});
  }
  return parts;
}

TEST(SourceMixture, SharesAreOfTokens) {
  const SourceMixture mixture(three(), 5);
  for (const std::uint64_t count : {std::uint64_t{8000}, std::uint64_t{SourceMixture::block}}) {
    std::array<double, 3> tokens{};
    for (std::uint64_t i = 0; i < count; ++i) {
      const Example example = mixture.at(i).value();
      tokens[static_cast<std::size_t>(example.prompt.tokens[0])] +=
          static_cast<double>(example.prompt.tokens.size());
    }
    const double all = tokens[0] + tokens[1] + tokens[2];
    EXPECT_NEAR(tokens[0] / all, 0.3, 0.02) << count;
    EXPECT_NEAR(tokens[1] / all, 0.6, 0.02) << count;
    EXPECT_NEAR(tokens[2] / all, 0.1, 0.02) << count;
  }
}

TEST(SourceMixture, AnExampleDependsOnNothingThatWasDrawnBefore) {
  const SourceMixture one(three(), 5), other(three(), 5), another_seed(three(), 6);
  int same = 0;
  for (std::uint64_t i = 3 * SourceMixture::block; i-- > 0;) {
    if (i % 97 != 0) continue;
    const std::vector<std::int32_t> tokens = one.at(i).value().prompt.tokens;
    EXPECT_EQ(tokens, other.at(i).value().prompt.tokens) << i;
    same += tokens == another_seed.at(i).value().prompt.tokens ? 1 : 0;
  }
  for (std::uint64_t i = 0; i < 100; ++i)  // forwards, after the blocks were visited backwards
    EXPECT_EQ(one.at(i).value().prompt.tokens, other.at(i).value().prompt.tokens) << i;
  EXPECT_LT(same, 10);
}

TEST(SourceMixture, VisitsEveryExampleOfASourceOnce) {
  const SourceMixture mixture(three(), 5);
  std::array<std::set<std::int32_t>, 3> seen;
  for (std::uint64_t i = 0; i < 2 * SourceMixture::block; ++i) {
    const Example example = mixture.at(i).value();
    auto& of_source = seen[static_cast<std::size_t>(example.prompt.tokens[0])];
    EXPECT_TRUE(of_source.insert(example.prompt.tokens[1]).second) << i;
  }
  const std::vector<std::size_t> draws = mixture.draws();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(seen[i].size(), 2 * draws[i]);
    EXPECT_EQ(*seen[i].rbegin() + 1, static_cast<std::int32_t>(2 * draws[i])) << "without gaps";
  }
}

TEST(SourceMixture, LeavesNoSourceOut) {
  std::vector<SourceMixture::Part> parts = three();
  parts[1].share = 1e-6;
  const SourceMixture mixture(std::move(parts), 5);
  const std::vector<std::size_t> draws = mixture.draws();
  EXPECT_EQ(draws[1], 1u);
  EXPECT_EQ(draws[0] + draws[1] + draws[2], SourceMixture::block);
}

}  // namespace
}  // namespace herd::train
