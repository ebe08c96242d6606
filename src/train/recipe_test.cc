#include "train/recipe.h"

#include <gtest/gtest.h>

#include "base/testing/temporary_directory.h"

namespace herd::train {
namespace {

Result<Recipe> recipe_of(const std::string& text) {
  const TemporaryDirectory directory;  // of its own: tests run side by side
  const fs::path path = directory / "recipe.toml";
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

TEST(Recipe, AStageHasOneSourceOrSeveral) {
  const auto recipe = recipe_of(
      stage + "[[stage]]\ntokens = 2e6\n[[stage.source]]\nshare = 3\nworld = \"mid\"\n" +
      "items_max = 40\n[[stage.source]]\ntasks = [\"recall\", \"needle\"]\nbytes_max = 9000\n");
  ASSERT_TRUE(recipe) << to_string(recipe.error());
  ASSERT_EQ(recipe->stages[0].sources.size(), 1u);
  EXPECT_EQ(recipe->stages[0].sources[0].world, "sft");
  const std::vector<SourceOptions>& sources = recipe->stages[1].sources;
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0].share, 3);
  EXPECT_EQ(sources[0].world, "mid");
  EXPECT_EQ(sources[0].items_max, 40);
  EXPECT_EQ(sources[0].bytes_max, std::nullopt);
  EXPECT_EQ(sources[1].share, 1);
  EXPECT_EQ(sources[1].tasks, (std::vector<std::string>{"recall", "needle"}));
  EXPECT_EQ(sources[1].bytes_max, 9000);
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
      {"[[stage]]\nname = \"a\"\ntokens = 5\n",
       "stage \"a\": source 1: give exactly one of world, tasks, jsonl, text and shards"},
      {stage + "tasks = [\"chat\"]\n", "exactly one of"},
      {stage + "[[stage.source]]\ntasks = [\"chat\"]\n",
       "either its [[stage.source]] tables or its own"},
      {"[[stage]]\ntokens = 5\nsource = 3\n", "either its [[stage.source]] tables or its own"},
      {"[[stage]]\ntokens = 5\n[[stage.source]]\nshar = 3\n", "source 1: unknown option 'shar'"},
      {"[[stage]]\ntokens = 5\n[[stage.source]]\nshare = 0\nworld = \"sft\"\n", "share"},
      {"[[stage]]\ntokens = 5\n[[stage.source]]\njsonl = \"a\"\nitems_max = 3\n",
       "items_max and bytes_max"},
      {"[[stage]]\nepochs = 2\nworld = \"sft\"\n", "epochs are of a single file"},
      {"[[stage]]\nworld = \"sft\"\n", "tokens is missing"},
      {"colour = 3\n" + stage, "colour"},
      {"[[stage]]\nname = \"a,b\"\ntokens = 5\nworld = \"sft\"\n", "no comma, quote, bar"},
  };
  for (const auto& [text, part] : cases) {
    const auto recipe = recipe_of(text);
    ASSERT_FALSE(recipe) << text;
    EXPECT_NE(recipe.error().message.find(part), std::string::npos) << recipe.error().message;
  }
}

}  // namespace
}  // namespace herd::train
