#include "llama4/presets.h"

#include <gtest/gtest.h>

#include "base/json_text.h"
#include "llama4/census.h"
#include "llama4/config_json.h"
#include "llama4/load.h"

namespace herd::llama4 {
namespace {

std::string text_of(const Config& config) { return json_text(config_to_hugging_face(config)); }

TEST(Presets, HaveThePublishedNumbersOfParameters) {
  EXPECT_EQ(take_census(preset("scout")).total, 108'641'793'536u);
  EXPECT_EQ(take_census(preset("maverick")).total, 401'583'781'376u);
}

TEST(Presets, KeepTheRuleOfTheLayersAtAnyDepth) {
  const Config config = preset("maverick", 5);
  EXPECT_EQ(config.text.layers, 5);
  EXPECT_EQ(config.text.is_moe, (std::vector<bool>{false, true, false, true, false}));
  EXPECT_EQ(config.text.rotates, (std::vector<bool>{true, true, true, false, true}));
  EXPECT_EQ(preset("maverick", 1).text.expert_width, 0);  // no layer has experts
  EXPECT_EQ(preset("scout", 1).text.dense_width, 0);
}

// `herd synth --like cria` is to have the shape of the model that herd carries.
TEST(Presets, DescribeCriaAsItIs) {
  const auto carried = read_config(fs::path(HERD_ROOT) / "models/cria");
  ASSERT_TRUE(carried.has_value()) << to_string(carried.error());
  EXPECT_EQ(text_of(preset("cria")), text_of(*carried));
}

TEST(ConfigJson, ReadsBackEqual) {
  for (const std::string_view name : preset_names)
    for (const bool vision : {true, false})
      for (const std::int64_t layers : {0, 1, 6}) {
        Config config = preset(name, layers);
        if (!vision) config.vision.reset();
        const auto read = config_from_hugging_face(config_to_hugging_face(config));
        ASSERT_TRUE(read.has_value()) << to_string(read.error());
        EXPECT_EQ(text_of(*read), text_of(config));
        EXPECT_TRUE(read->notes.empty());
        EXPECT_EQ(read->vision.has_value(), vision);
        EXPECT_EQ(read->text.expert_width, config.text.expert_width);
        EXPECT_EQ(read->text.dense_width, config.text.dense_width);
        EXPECT_EQ(read->text.rope_scaling.has_value(), name == "scout");
        EXPECT_EQ(read->stop_tokens, config.stop_tokens);
        EXPECT_TRUE(!vision || read->image_token == config.image_token);
      }
}

// Every model of the reference library, whatever its file's spelling, says the same in ours.
TEST(ConfigJson, SaysWhatTheReferencesFilesSay) {
  int models = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(HERD_ROOT) / "tests/data/models")) {
    if (!fs::exists(entry.path() / "config.json")) continue;
    SCOPED_TRACE(entry.path().filename());
    const auto config = read_config(entry.path());
    ASSERT_TRUE(config.has_value()) << to_string(config.error());
    const auto again = config_from_hugging_face(config_to_hugging_face(*config));
    ASSERT_TRUE(again.has_value()) << to_string(again.error());
    EXPECT_EQ(text_of(*again), text_of(*config));
    const Census before = take_census(*config), after = take_census(*again);
    EXPECT_EQ(before.total, after.total);
    EXPECT_EQ(before.active, after.active);
    ++models;
  }
  EXPECT_GE(models, 10);
}

TEST(ConfigJson, RecommendsTheSamplingOfTheReleasedModels) {
  Config config = preset("scout");
  config.stop_tokens.clear();
  ASSERT_TRUE(apply_generation_config(config, generation_to_hugging_face(preset("scout"))));
  EXPECT_EQ(config.stop_tokens, (std::vector<std::int32_t>{200'001, 200'007, 200'008}));
  EXPECT_EQ(generation_to_hugging_face(config).at("temperature").as_double(), 0.6);
}

}  // namespace
}  // namespace herd::llama4
