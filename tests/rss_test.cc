// Local layers keep one chunk: not only by the cache's own arithmetic, but in what the system says this process holds.
// Sixteen narrow layers, fifteen of them local in chunks of 1024; a prompt of 16k tokens, and one of 64k among the slow
// tests.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/memory.h"
#include "base/rng.h"
#include "engine/session.h"
#include "llama4/census.h"
#include "llama4/load.h"
#include "llama4/presets.h"
#include "llama4/random_model.h"

namespace herd {
namespace {

constexpr std::int64_t rows = 512;

// One global layer, because that is what the time goes into: its work grows with the square of the prompt.
llama4::Config narrow(std::int64_t context) {
  llama4::Config config = llama4::preset("cria", 16);
  config.vision.reset();
  config.text.width = 64;
  config.text.expert_width = 64;
  config.text.dense_width = 128;
  config.text.normalizes_qk = false;
  config.text.heads = 1;
  config.text.key_value_heads = 1;
  config.text.head_size = 64;
  config.text.chunk = 1024;
  config.text.context = context;
  config.text.rotates.assign(16, true);
  config.text.rotates.back() = false;
  return config;
}

engine::Prompt random_prompt(std::int64_t tokens, std::int64_t vocabulary) {
  engine::Prompt prompt;
  for (std::int64_t i = 0; i < tokens; ++i)
    prompt.tokens.push_back(static_cast<std::int32_t>(uniform(1, static_cast<std::uint64_t>(i)) *
                                                      static_cast<double>(vocabulary)));
  return prompt;
}

class ResidentMemory : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "herd_rss_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
  }
  void TearDown() override { fs::remove_all(directory); }
  fs::path directory;
};

TEST_P(ResidentMemory, HoldsOneChunkOfEveryLocalLayer) {
  const std::int64_t prompt_tokens = GetParam();
  const llama4::Config config = narrow(prompt_tokens);
  ThreadPool pool;
  ASSERT_TRUE(llama4::write_random_model({.config = config, .seed = 3}, directory, pool));
  const auto loaded = llama4::load(directory);
  ASSERT_TRUE(loaded.has_value()) << to_string(loaded.error());
  const llama4::Model& model = (*loaded)->model();
  Context ctx(cpu_kernels(), pool);
  const engine::SessionOptions options{
      .context = prompt_tokens, .piece_rows = rows, .kv_dtype = DType::bf16};

  const nn::KvShape shape = model.kv_shape(options.kv_dtype);
  nn::KvShape unchunked = shape;
  std::ranges::fill(unchunked.chunk, 0);
  const llama4::MemoryPlan plan =
      llama4::plan_memory(config, 0, prompt_tokens, rows, options.kv_dtype);
  ASSERT_EQ(plan.cache, shape.bytes(prompt_tokens));

  // A short prompt first: weights are paged in, and the arena and the threads' scratch have their size.
  {
    auto short_session = engine::Session::create(model, ctx, options);
    ASSERT_TRUE(short_session.has_value());
    ASSERT_TRUE(short_session->prefill(random_prompt(2 * rows, config.text.vocabulary)));
  }
  const engine::Prompt prompt = random_prompt(prompt_tokens, config.text.vocabulary);
  const std::uint64_t before = resident_memory().now;
  auto session = engine::Session::create(model, ctx, options);
  ASSERT_TRUE(session.has_value());
  const auto logits = session->prefill(prompt);
  ASSERT_TRUE(logits.has_value()) << to_string(logits.error());
  EXPECT_EQ(session->length(), prompt_tokens);
  const std::uint64_t after = resident_memory().now;

  ASSERT_GT(after, before);
  const std::uint64_t grown = after - before;
  const std::uint64_t all_layers = unchunked.bytes(prompt_tokens);
  // Bookkeeping (block tables, what each position holds) and what the allocator keeps: far less than one layer more.
  EXPECT_GE(grown + (4 << 20), plan.cache);
  EXPECT_LE(grown, plan.cache + all_layers / 16);
  EXPECT_LT(grown, all_layers / 4);
  RecordProperty("grown_bytes", std::to_string(grown));
  RecordProperty("planned_bytes", std::to_string(plan.cache));
  RecordProperty("unchunked_bytes", std::to_string(all_layers));
}

INSTANTIATE_TEST_SUITE_P(Quick, ResidentMemory, testing::Values(16'384));
INSTANTIATE_TEST_SUITE_P(Slow, ResidentMemory, testing::Values(65'536));

}  // namespace
}  // namespace herd
