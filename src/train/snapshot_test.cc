#include "train/snapshot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "llama4/load.h"

namespace herd::train {
namespace {

const std::map<std::string, std::string> things{{"recipe", "12"}, {"chat_template.jinja", "34"}};

class SnapshotTest : public ::testing::Test {
 protected:
  SnapshotTest() {
    fs::remove_all(out);
    std::iota(parameters.weights().begin(), parameters.weights().end(), 1.0f);
    std::ranges::fill(parameters.second_moments(), 0.5f);
  }
  ~SnapshotTest() override { fs::remove_all(out); }

  [[nodiscard]] auto load(const std::map<std::string, std::string>& made_of = things,
                          std::span<const std::string> may_differ = {}) const {
    return load_snapshot(out, parameters, made_of, may_differ);
  }
  // Writes `after` over the only place where `before` stands in the state of a step.
  void change(std::int64_t step, const std::string& before, const std::string& after) const {
    const fs::path path = out / "checkpoints" / fmt::format("step-{:08}", step) / "state.json";
    std::string text = read_file(path, 1 << 20).value();
    const std::size_t at = text.find(before);
    ASSERT_NE(at, std::string::npos) << text;
    ASSERT_EQ(text.find(before, at + 1), std::string::npos) << text;
    text.replace(at, before.size(), after);
    ASSERT_TRUE(write_file(path, std::string_view(text)));
  }

  const fs::path out =
      fs::path(::testing::TempDir()) /
      fmt::format("snapshot_{}", ::testing::UnitTest::GetInstance()->current_test_info()->name());
  llama4::Model model{
      llama4::read_config(fs::path(HERD_ROOT) / "tests/data/models/onelayer").value()};
  Parameters parameters{model};
  TrainingState state{.step = 7,
                      .updates = 6,
                      .stage = 1,
                      .stage_tokens = 500,
                      .next_example = 0x8000'0000'0000'0001,
                      .tokens = 900,
                      .seconds = 0.1,
                      .skipped = 1,
                      .lengths = {0.3, 1e300, 0.0},
                      .made_of = things};
};

TEST_F(SnapshotTest, ComesBackAsItWas) {
  ASSERT_TRUE(save_snapshot(out, parameters, state));
  const std::vector<float> weights(parameters.weights().begin(), parameters.weights().end());
  std::ranges::fill(parameters.weights(), 0.0f);
  std::ranges::fill(parameters.second_moments(), 0.0f);
  const auto found = load();
  ASSERT_TRUE(found.has_value()) << to_string(found.error());
  const TrainingState& read = found->value().state;
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.updates, 6);
  EXPECT_EQ(read.stage, 1);
  EXPECT_EQ(read.stage_tokens, 500);
  EXPECT_EQ(read.next_example, 0x8000'0000'0000'0001);
  EXPECT_EQ(read.tokens, 900);
  EXPECT_EQ(read.seconds, 0.1);
  EXPECT_EQ(read.skipped, 1);
  EXPECT_EQ(read.lengths, state.lengths);
  EXPECT_TRUE(std::ranges::equal(parameters.weights(), weights));
  EXPECT_EQ(std::ranges::count(parameters.second_moments(), 0.5f),
            std::ssize(parameters.second_moments()));
}

// Two are kept, and one that is damaged is none of them.
TEST_F(SnapshotTest, ADamagedOneDoesNotPushAGoodOneOut) {
  const auto names = [&] {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(out / "checkpoints"))
      found.insert(entry.path().filename());
    return found;
  };
  for (state.step = 1; state.step <= 3; ++state.step)
    ASSERT_TRUE(save_snapshot(out, parameters, state));
  EXPECT_EQ(names(), (std::set<std::string>{"step-00000002", "step-00000003"}));
  change(3, "\"tokens\":900", "\"tokens\":901");
  const FoundSnapshot found = load()->value();
  EXPECT_EQ(found.state.step, 2);
  set_aside(found.damaged);
  EXPECT_EQ(names(), (std::set<std::string>{"step-00000002", "step-00000003.damaged"}));
  state.step = 4;
  ASSERT_TRUE(save_snapshot(out, parameters, state));
  EXPECT_EQ(names(), (std::set<std::string>{"step-00000002", "step-00000004"}));
}

// Each would be an exception of the library, or an index below zero.
TEST_F(SnapshotTest, AStateWithAnOddNumberIsPassedOver) {
  ASSERT_TRUE(save_snapshot(out, parameters, state));
  state.step = 8;
  for (const auto& [before, after] :
       {std::pair("\"stage\":1,", "\"stage\":-1,"), std::pair("\"step\":8", "\"step\":8.5"),
        std::pair("\"next_example\":9223372036854775809", "\"next_example\":-3"),
        std::pair("\"tokens\":900", "\"tokens\":1e300"),
        std::pair("\"skipped\":1", "\"skipped\":[]"),
        std::pair("\"lengths\":[", "\"lengths\":[-1,"),
        std::pair("\"checksum\":", "\"checksum\":-")}) {
    ASSERT_TRUE(save_snapshot(out, parameters, state));
    change(8, before, after);
    const auto found = load();
    ASSERT_TRUE(found.has_value()) << to_string(found.error());
    EXPECT_EQ(found->value().state.step, 7) << after;
    EXPECT_EQ(found->value().skipped.size(), 1u) << after;
  }
}

TEST_F(SnapshotTest, WhatChangedCameOrWentIsNamedUnlessItMay) {
  ASSERT_TRUE(save_snapshot(out, parameters, state));
  const auto complaint = [&](const std::map<std::string, std::string>& now) {
    const auto found = load(now);
    return found ? "" : found.error().message;
  };
  EXPECT_EQ(complaint(things), "");
  EXPECT_TRUE(complaint({{"recipe", "13"}, {"chat_template.jinja", "34"}})
                  .contains("recipe: 12 then, 13 now (--allow-changed recipe)"));
  EXPECT_TRUE(complaint({{"recipe", "12"}}).contains("chat_template.jinja: 34 then, none now"));
  EXPECT_TRUE(complaint({{"recipe", "12"}, {"chat_template.jinja", "34"}, {"data", "56"}})
                  .contains("data: none then, 56 now"));
  const std::vector<std::string> may{"chat_template.jinja"};
  EXPECT_TRUE(load({{"recipe", "12"}}, may).has_value());
}

}  // namespace
}  // namespace herd::train
