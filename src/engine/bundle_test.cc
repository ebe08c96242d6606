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

}  // namespace
}  // namespace herd::engine
