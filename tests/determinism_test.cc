// Design decision 3: for one build on one kind of device the same tokens give the same bits, whatever the batch around
// them, the prefill split and the thread count.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "engine/session.h"
#include "llama4/load.h"

namespace herd {
namespace {

using Bits = std::vector<float>;  // compared as bytes: 0 and -0, or two NaNs, are not the same bits

bool same_bits(const Bits& a, const Bits& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Sequence `which`: its own length and its own tokens.
std::vector<std::int32_t> tokens_of(std::uint64_t which, std::int64_t length,
                                    std::int64_t vocabulary) {
  std::vector<std::int32_t> tokens;
  for (std::int64_t i = 0; i < length; ++i)
    tokens.push_back(static_cast<std::int32_t>(uniform(which, static_cast<std::uint64_t>(i)) *
                                               static_cast<double>(vocabulary)));
  return tokens;
}

class Determinism : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto result = llama4::load(fs::path(HERD_ROOT) / "tests/data/models" / GetParam());
    ASSERT_TRUE(result.has_value()) << to_string(result.error());
    loaded = std::move(*result);
  }
  [[nodiscard]] std::int64_t vocabulary() const { return loaded->config().text.vocabulary; }

  // Logits of every position of a prompt.
  Bits all_logits(const std::vector<std::int32_t>& tokens, int threads, std::int64_t piece_rows,
                  DType kv_dtype) {
    ThreadPool pool(threads);
    Context ctx(cpu_kernels(), pool);
    auto session = engine::Session::create(
        loaded->model(), ctx, {.context = 256, .piece_rows = piece_rows, .kv_dtype = kv_dtype});
    Bits bits;
    engine::Prompt prompt;
    prompt.tokens = tokens;
    const auto ran = session->all_logits(prompt, [&](std::int64_t, const Tensor& piece) {
      bits.insert(bits.end(), piece.as<float>().begin(), piece.as<float>().end());
      return Result<void>{};
    });
    EXPECT_TRUE(ran.has_value());
    return bits;
  }

  std::unique_ptr<llama4::Loaded> loaded;
};

TEST_P(Determinism, SameBitsAtAnyPrefillSplitAndThreadCount) {
  const auto tokens = tokens_of(7, 150, vocabulary());
  for (const DType kv : {DType::f32, DType::bf16}) {
    const Bits whole = all_logits(tokens, 1, 512, kv);
    for (const std::int64_t piece : {1, 2, 3, 7, 16, 63, 64, 65, 149})
      EXPECT_TRUE(same_bits(all_logits(tokens, 2, piece, kv), whole)) << "pieces of " << piece;
    for (int threads = 1; threads <= 8; ++threads)
      EXPECT_TRUE(same_bits(all_logits(tokens, threads, 100, kv), whole)) << threads << " threads";
  }
}

TEST_P(Determinism, SameBitsInAnyBatchFromOneTo64Sequences) {
  constexpr std::size_t sequences_max = 64;
  ThreadPool pool(2);
  Context ctx(cpu_kernels(), pool);
  const nn::KvShape shape = loaded->model().kv_shape(DType::bf16);

  // Each alone: a prompt of its own length, then the logits of one more token.
  std::vector<std::vector<std::int32_t>> prompts;
  std::vector<Bits> alone;
  std::vector<nn::KvCache> caches;
  for (std::size_t s = 0; s < sequences_max; ++s) {
    prompts.push_back(tokens_of(s, 1 + static_cast<std::int64_t>(s * 5 % 90), vocabulary()));
    caches.push_back(std::move(*nn::KvCache::create(shape, 256)));
    for (const std::int32_t& token : prompts.back()) {
      ctx.arena.reset();
      nn::CachedBatch batch;
      batch.add(caches.back(), {&token, 1});
      batch.want_last();
      const auto logits = loaded->model().forward(ctx, batch).as<float>();
      if (&token == &prompts.back().back()) alone.emplace_back(logits.begin(), logits.end());
    }
  }
  // Together: forget the last token of the first n and run those n rows in one batch.
  for (std::size_t n = 1; n <= sequences_max; n += n < 9 ? 1 : 11) {
    ctx.arena.reset();
    nn::CachedBatch batch;
    for (std::size_t s = 0; s < n; ++s) {
      const std::int64_t before = caches[s].length() - 1;
      ASSERT_TRUE(caches[s].can_rewind_to(before) || before == 0);
      caches[s].set_length(before);
      batch.add(caches[s], {&prompts[s].back(), 1});
      batch.want_last();
    }
    const Tensor logits = loaded->model().forward(ctx, batch);
    for (std::size_t s = 0; s < n; ++s) {
      const auto row = logits.as<float>().subspan(s * alone[s].size(), alone[s].size());
      EXPECT_TRUE(same_bits(Bits(row.begin(), row.end()), alone[s]))
          << "sequence " << s << " of " << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Determinism,
                         testing::Values("scout", "maverick", "topk2", "fp8", "int4", "twelve"),
                         [](const auto& model) { return std::string(model.param); });

// A prompt that continues, repeats or abandons the last one gives what an empty cache would give, across chunk ends.
TEST(Session, ReusesACommonPrefixWithoutChangingABit) {
  auto loaded = llama4::load(fs::path(HERD_ROOT) / "tests/data/models/chunks");
  ASSERT_TRUE(loaded.has_value());
  ThreadPool pool(1);
  Context ctx(cpu_kernels(), pool);
  const std::int64_t vocabulary = (*loaded)->config().text.vocabulary;
  auto fresh = [&](const engine::Prompt& prompt) {
    auto session = engine::Session::create((*loaded)->model(), ctx, {.context = 128});
    const auto logits = session->prefill(prompt);
    return Bits(logits->begin(), logits->end());
  };
  auto session = engine::Session::create((*loaded)->model(), ctx, {.context = 128});
  const auto base = tokens_of(3, 60, vocabulary);
  std::int64_t reused = 0;
  for (std::uint64_t round = 0; round < 60; ++round) {
    engine::Prompt prompt;
    prompt.tokens.assign(base.begin(),
                         base.begin() + static_cast<std::int64_t>(uniform(11, round) * 50));
    const auto rest =
        tokens_of(100 + round % 3, 1 + static_cast<std::int64_t>(round % 9), vocabulary);
    prompt.tokens.insert(prompt.tokens.end(), rest.begin(), rest.end());
    const Bits wanted = fresh(prompt);
    const auto found = session->prefill(prompt);
    ASSERT_TRUE(found.has_value());
    EXPECT_TRUE(same_bits(Bits(found->begin(), found->end()), wanted)) << "round " << round;
    reused += session->reused();
  }
  EXPECT_GT(reused, 60 * 5);
}

TEST(KvCache, LocalLayersKeepOneChunkAtMost) {
  auto loaded = llama4::load(fs::path(HERD_ROOT) / "tests/data/models/chunks");
  ASSERT_TRUE(loaded.has_value());
  const nn::KvShape shape = (*loaded)->model().kv_shape(DType::bf16);
  const std::uint64_t local = static_cast<std::uint64_t>(std::ranges::count(shape.chunk, 8));
  const std::uint64_t global = shape.chunk.size() - local;
  ASSERT_GT(local, 0u);
  ASSERT_GT(global, 0u);
  // A chunk of 8 takes one block of 64; 65536 positions take 1024.
  EXPECT_EQ(shape.bytes(65536), 2 * shape.bytes_per_block() * (local + 1024 * global));
}

}  // namespace
}  // namespace herd
