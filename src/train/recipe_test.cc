#include "train/recipe.h"

#include <gtest/gtest.h>

namespace herd::train {
namespace {

Result<Recipe> recipe_of(const std::string& text) {
  const fs::path path = fs::path(::testing::TempDir()) / "recipe.toml";
  EXPECT_TRUE(write_file(path, std::string_view(text)));
  return read_recipe(path);
}

const std::string stage = "[[stage]]\nworld = \"sft\"\ntokens = 1e6\n";

TEST(Recipe, HoldsWhatTheFileSays) {
  const auto recipe = recipe_of("seed = 7\n[optimizer]\nrate = 0.5\n" + stage + stage +
                                "rate_begin = 1\nrate_end = 0.5\nwarmup_tokens = 1e5\n");
  ASSERT_TRUE(recipe) << to_string(recipe.error());
  EXPECT_EQ(recipe->training.seed, 7u);
  EXPECT_EQ(recipe->optimizer.rate, 0.5);
  ASSERT_EQ(recipe->stages.size(), 2u);
  EXPECT_EQ(recipe->tokens(), 2e6);
  EXPECT_DOUBLE_EQ(recipe->stages[1].height(5e4), 0.5 * 0.975);
  EXPECT_DOUBLE_EQ(recipe->stages[1].height(1e6), 0.5);
}

TEST(Recipe, SaysWhereItIsNoToml) {
  const auto recipe = recipe_of("seed = 7\nrate = = 3\n");
  ASSERT_FALSE(recipe);
  EXPECT_EQ(recipe.error().code, Code::recipe_invalid);
  EXPECT_NE(recipe.error().message.find("recipe.toml:2:8"), std::string::npos)
      << recipe.error().message;
}

TEST(Recipe, RefusesWhatCannotBeDone) {
  const struct {
    std::string text, part;
  } cases[] = {
      {"seed = 1\n", "no [[stage]]"},
      {"[optimizer]\nrate = 0\n" + stage, "nothing would be learned"},
      {"[optimizer]\nrote = 1\n" + stage, "rote"},
      {"[optimizer]\nrate = 11\n" + stage, "rate"},
      {"[[stage]]\nname = \"a\"\ntokens = 5\n", "exactly one of world, tasks and jsonl"},
      {"[[stage]]\nworld = \"sft\"\n", "tokens is missing"},
      {"colour = 3\n" + stage, "colour"},
  };
  for (const auto& [text, part] : cases) {
    const auto recipe = recipe_of(text);
    ASSERT_FALSE(recipe) << text;
    EXPECT_NE(recipe.error().message.find(part), std::string::npos) << recipe.error().message;
  }
}

}  // namespace
}  // namespace herd::train
