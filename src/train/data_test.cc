#include "train/data.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "llama4/load.h"
#include "train/make_shards.h"
#include "train/packing.h"

namespace herd::train {
namespace {

const fs::path cria = fs::path(HERD_ROOT) / "models/cria";

const engine::Bundle& bundle() {
  static const engine::Bundle opened =
      engine::Bundle::open(cria, llama4::read_config(cria).value()).value();
  return opened;
}

Recipe recipe_of(std::vector<SourceOptions> sources) {
  Recipe recipe;
  recipe.directory = ::testing::TempDir();
  recipe.training.seed = 3;
  Stage& stage = recipe.stages.emplace_back();
  stage.name = "only";
  stage.tokens = 1e6;
  stage.length_max = 400;
  stage.sources = std::move(sources);
  return recipe;
}

StageData open(const Recipe& recipe) {
  return open_data(bundle(), recipe, recipe.stages[0]).value();
}

// Of the tokens that are learned from the first examples, the part in texts that are counted.
double tokens_where(const Source& source, std::uint64_t examples, std::int64_t length_max,
                    const std::function<bool(const std::string&)>& is_counted) {
  double all = 0, counted = 0;
  for (std::uint64_t i = 0; i < examples; ++i) {
    Example example = source.at(i).value();
    if (!is_learnable(example, length_max)) continue;
    const auto tokens = static_cast<double>(example.prompt.tokens.size());
    all += tokens;
    if (is_counted(bundle().tokenizer.decode(example.prompt.tokens, false))) counted += tokens;
  }
  return counted / all;
}

TEST(StageData, MixesTasksAndFilesByTokens) {
  std::string lines;
  for (int i = 0; i < 50; ++i) lines += fmt::format("{{\"text\": \"MARK {} and no more\"}}\n", i);
  ASSERT_TRUE(write_file(fs::path(::testing::TempDir()) / "marks.jsonl", std::string_view(lines)));
  const Recipe recipe = recipe_of({{.share = 3, .tasks = {"chat", "recall"}},
                                   {.share = 1, .jsonl = "marks.jsonl"},
                                   {.share = 2, .tasks = {"story"}}});
  const StageData data = open(recipe);
  const auto starts = [](const char* with) {
    return [=](const std::string& text) { return text.find(with) < 20; };
  };
  EXPECT_NEAR(tokens_where(*data.train, 6000, 400, starts("MARK")), 1.0 / 6, 0.006);
  const auto is_chat = [](const std::string& text) {
    return text.find("assistant") != std::string::npos;
  };
  EXPECT_NEAR(tokens_where(*data.train, 6000, 400, is_chat), 0.5, 0.02);
  ASSERT_TRUE(data.held_out);
  EXPECT_EQ(tokens_where(*data.held_out, 500, 400, starts("MARK")), 0) << "a file has no such side";
}

TEST(StageData, SourcesOfTheSameTaskHaveOtherSamples) {
  const Recipe recipe = recipe_of({{.tasks = {"chat"}}, {.tasks = {"chat"}}});
  const StageData data = open(recipe);
  std::set<std::vector<std::int32_t>> different;
  for (std::uint64_t i = 0; i < 100; ++i) different.insert(data.train->at(i).value().prompt.tokens);
  EXPECT_GT(different.size(), 80u);
}

TEST(StageData, SizesHoldForTasksAndForStagesOfTheWorld) {
  for (const bool whole_stage : {false, true}) {
    SourceOptions small{.items_max = 3, .bytes_max = 300};
    if (whole_stage)
      small.world = "mid";
    else
      small.tasks = {"recall", "needle", "multi_hop"};
    SourceOptions large = small;
    large.items_max = 90;
    large.bytes_max = 9000;
    const double of_small = open(recipe_of({small})).train->mean_tokens(8000).value();
    const double of_large = open(recipe_of({large})).train->mean_tokens(8000).value();
    EXPECT_GT(of_large, (whole_stage ? 1.2 : 2.0) * of_small) << whole_stage;
  }
}

TEST(StageData, NamesSourcesThatCannotBeUsed) {
  const auto error_of = [](std::vector<SourceOptions> sources) {
    Recipe recipe = recipe_of(std::move(sources));
    std::vector<std::string> notes;
    const auto checked = check_data(bundle(), recipe, notes);
    return checked ? std::string("none") : to_string(checked.error());
  };
  const std::string task = error_of({{.world = "sft"}, {.tasks = {"chat", "storry"}}});
  EXPECT_NE(task.find("source 2: the world has no task named \"storry\""), std::string::npos)
      << task;
  EXPECT_NE(task.find("did you mean 'story'?"), std::string::npos) << task;
  const std::string stage = error_of({{.world = "pretran"}});
  EXPECT_NE(stage.find("did you mean 'pretrain'?"), std::string::npos) << stage;
  EXPECT_NE(error_of({{.jsonl = "nowhere.jsonl"}}).find("E1001"), std::string::npos);
}

TEST(StageData, TextsAndShardsAreFilesLikeOthers) {
  const fs::path directory = fs::path(::testing::TempDir()) / "kinds";
  fs::remove_all(directory);
  fs::create_directories(directory);
  std::string text;
  for (int i = 0; i < 300; ++i) text += fmt::format("MARK {}\n<|endoftext|>\n", i);
  ASSERT_TRUE(write_file(directory / "marks.txt", std::string_view(text)));
  ASSERT_TRUE(make_shards(bundle(), {directory / "marks.txt"}, directory / "shards", 500));
  SourceOptions source{.text = directory / "marks.txt"};
  for (int kind = 0; kind < 2; ++kind) {
    Recipe recipe = recipe_of({source});
    recipe.stages[0].epochs = 1;
    std::vector<std::string> notes;
    ASSERT_TRUE(check_data(bundle(), recipe, notes));
    const StageData data = open(recipe);
    EXPECT_FALSE(data.held_out);
    std::set<std::string> seen;
    double tokens = 0;
    for (std::uint64_t i = 0; i < 300; ++i) {
      const Example example = data.train->at(i).value();
      tokens += static_cast<double>(example.prompt.tokens.size());
      seen.insert(bundle().tokenizer.decode(example.prompt.tokens, true));
    }
    EXPECT_EQ(seen.size(), 300u);
    EXPECT_TRUE(seen.contains("MARK 7\n"));
    EXPECT_EQ(recipe.stages[0].tokens, tokens);
    const std::string sum = checksum_of_data(recipe);
    if (kind == 0) {
      ASSERT_TRUE(write_file(directory / "marks.txt", std::string_view(text + "more")));
    } else {
      fs::remove(directory / "shards" / "part-00001.tokens");
    }
    EXPECT_NE(checksum_of_data(recipe), sum);
    source = {.shards = directory / "shards"};
  }
}

TEST(StageData, ListsExamplesOfNoUseAndRefusesMoreThanOneInAHundred) {
  const fs::path path = fs::path(::testing::TempDir()) / "long.jsonl";
  const std::string chat =
      "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, "
      "{\"role\": \"assistant\", \"content\": \"WORDS\"}]}\n";
  std::string far_too_long = chat;
  std::string words;
  for (int i = 0; i < 500; ++i) words += "word ";
  far_too_long.replace(far_too_long.find("WORDS"), 5, words);
  std::string lines;
  for (int i = 0; i < 99; ++i) lines += chat;
  for (const int too_many : {0, 1}) {
    lines += far_too_long;
    ASSERT_TRUE(write_file(path, std::string_view(lines)));
    Recipe recipe = recipe_of({{.jsonl = "long.jsonl"}});
    std::vector<std::string> notes;
    const auto checked = check_data(bundle(), recipe, notes);
    EXPECT_EQ(checked.has_value(), too_many == 0);
    const std::string said = checked ? notes.at(0) : to_string(checked.error());
    const char* wanted = too_many == 0 ? "1 of 100 examples" : "E3002";
    EXPECT_NE(said.find(wanted), std::string::npos) << said;
    EXPECT_NE(said.find("line 100"), std::string::npos) << said;
  }
}

TEST(StageData, EpochsAreCountedInTokens) {
  ASSERT_TRUE(write_file(fs::path(::testing::TempDir()) / "two.jsonl",
                         std::string_view("{\"text\": \"one\"}\n{\"text\": \"two words\"}\n")));
  Recipe recipe = recipe_of({{.jsonl = "two.jsonl"}});
  recipe.stages[0].epochs = 3;
  std::vector<std::string> notes;
  ASSERT_TRUE(check_data(bundle(), recipe, notes));
  const StageData data = open(recipe);
  double tokens = 0;
  for (std::uint64_t i = 0; i < 2; ++i)
    tokens += static_cast<double>(data.train->at(i).value().prompt.tokens.size());
  EXPECT_EQ(recipe.stages[0].tokens, 3 * tokens);
}

}  // namespace
}  // namespace herd::train
