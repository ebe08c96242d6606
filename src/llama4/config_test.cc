// Limits of the sizes a configuration may name, from below and from above. What configurations mean is shown by the
// golden models, what is wrong with others by tests/attacks/config and params.
#include "llama4/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace herd::llama4 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A good configuration with `key` changed: in the text part of Hugging Face's, anywhere in Meta's.
std::string complaint(const std::string& key, std::uint64_t value) {
  json::value config = *read_json(HERD_ROOT "/tests/attacks/config/good.json");
  json::object& text = config.at("text_config").as_object();
  text[key] = static_cast<std::int64_t>(value);  // as a parser makes it
  // What follows from the number of layers is left to the reader.
  for (const char* list : {"moe_layers", "no_rope_layers"}) text.erase(list);
  const auto read = config_from_hugging_face(config);
  return read ? "" : read.error().message;
}

std::string meta_complaint(const std::string& key, std::uint64_t value) {
  json::value config = *read_json(HERD_ROOT "/tests/attacks/params/good.json");
  json::object& root = config.as_object();
  (key == "num_experts" ? root.at("moe_args").as_object() : root)[key] =
      static_cast<std::int64_t>(value);
  const auto read = config_from_meta(config);
  return read ? "" : read.error().message;
}

TEST(ConfigLimits, LayersExpertsAndVocabulary) {
  for (const auto& [key, meta_key, limit] :
       {std::tuple("num_hidden_layers", "n_layers", limits::layers_max),
        {"num_local_experts", "num_experts", limits::experts_max},
        {"vocab_size", "vocab_size", limits::vocabulary_max}}) {
    for (const std::uint64_t value : {limit - 1, limit}) {
      EXPECT_EQ(complaint(key, value), "") << key << " " << value;
      EXPECT_EQ(meta_complaint(meta_key, value), "") << meta_key << " " << value;
    }
    EXPECT_THAT(complaint(key, limit + 1), HasSubstr(key));
    EXPECT_THAT(meta_complaint(meta_key, limit + 1), HasSubstr(meta_key));
  }
}

TEST(ConfigLimits, Widths) {
  for (const char* key : {"hidden_size", "intermediate_size", "intermediate_size_mlp"}) {
    for (const std::uint64_t value : {limits::width_max - 1, limits::width_max})
      EXPECT_EQ(complaint(key, value), "") << key << " " << value;
    EXPECT_THAT(complaint(key, limits::width_max + 1), HasSubstr(key));
  }
  // The widths that Meta derives from it would be beyond the limit by then; what is said is about them.
  EXPECT_THAT(meta_complaint("dim", limits::width_max), Not(HasSubstr("dim is")));
  EXPECT_THAT(meta_complaint("dim", limits::width_max + 1), HasSubstr("dim is 1048577"));
}

}  // namespace
}  // namespace herd::llama4
