#include "engine/bundle.h"

#include <gtest/gtest.h>

#include "llama4/load.h"

namespace herd::engine {
namespace {

TEST(Bundle, PlainTextBeginsWithTheModelsFirstTokenIfItHasOne) {
  const fs::path cria = fs::path(HERD_ROOT) / "models/cria";
  llama4::Config config = llama4::read_config(cria).value();
  ASSERT_GE(config.bos_token, 0);
  const std::vector<std::int32_t> with =
      Bundle::open(cria, config).value().raw_prompt("Once upon a time").tokens;
  const std::int32_t first = std::exchange(config.bos_token, -1);
  std::vector<std::int32_t> without =
      Bundle::open(cria, config).value().raw_prompt("Once upon a time").tokens;
  ASSERT_GT(without.size(), 1u);
  without.insert(without.begin(), first);
  EXPECT_EQ(with, without);
}

// As transformers does it: do_sample false is greedy, whatever stands beside it.
TEST(Bundle, WithoutSamplingATemperatureBesideItMeansNothing) {
  const fs::path cria = fs::path(HERD_ROOT) / "models/cria";
  const fs::path copy = fs::path(::testing::TempDir()) / "greedy";
  fs::create_directories(copy);
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"})
    fs::copy_file(cria / name, copy / name, fs::copy_options::overwrite_existing);
  const llama4::Config config = llama4::read_config(cria).value();
  const auto temperature_of = [&](std::string_view generation) {
    EXPECT_TRUE(write_file(copy / "generation_config.json", generation));
    return Bundle::open(copy, config).value().sampling.temperature;
  };
  EXPECT_EQ(temperature_of(R"({"do_sample": false, "temperature": 0.6})"), 0.0);
  EXPECT_EQ(temperature_of(R"({"do_sample": true, "temperature": 0.6})"), 0.6);
  EXPECT_EQ(temperature_of(R"({"do_sample": true})"), 1.0);
}

}  // namespace
}  // namespace herd::engine
