// The trainer and the engine are one model: what a session samples has, to the bit, the log-probabilities that the
// learner computes for it when it comes back as an example. Learning from own answers rests on this.
#include <gtest/gtest.h>

#include "base/thread_pool.h"
#include "engine/generate.h"
#include "llama4/load.h"
#include "train/learner.h"

namespace herd {
namespace {

class OnPolicy : public ::testing::TestWithParam<const char*> {};

TEST_P(OnPolicy, LogProbabilitiesOfASampledAnswerHaveTheSameBits) {
  const fs::path directory = fs::path(HERD_ROOT) / "tests/data/models" / GetParam();
  const std::unique_ptr<llama4::Loaded> loaded = llama4::load(directory).value();
  ThreadPool pool(2);
  train::Learner learner(loaded->config(), pool);
  train::copy_weights(loaded->model(), learner.parameters());

  // 60 tokens, drawn one by one: over several chunks.
  Context ctx(cpu_kernels(), pool);
  const llama4::TextConfig& text = loaded->config().text;
  engine::Session session =
      engine::Session::create(learner.model(), ctx,
                              {.context = 128, .piece_rows = 7, .kv_dtype = DType::f32})
          .value();
  engine::Prompt prompt{
      .tokens = {1, 5, 3, 8, 2, 9, 4, 7, 6, 11, 10, 12, 13}, .pictures = {}, .patches = {}};
  engine::Sampler sampler({.temperature = 1, .top_p = 1, .seed = 3});
  std::vector<float> logits;  // of every position after the prompt's end
  std::vector<std::int32_t> answer;
  std::span<const float> next = session.prefill(prompt).value();
  for (int i = 0; i < 60; ++i) {
    logits.insert(logits.end(), next.begin(), next.end());
    answer.push_back(sampler.sample(next, prompt.tokens, answer).value());
    next = session.step(answer.back()).value();
  }
  std::vector<float> from_engine(answer.size());
  const std::vector<float> ones(answer.size(), 1.0f);
  ctx.kernels.cross_entropy({.logits = logits.data(),
                             .target = answer.data(),
                             .weight = ones.data(),
                             .loss = from_engine.data(),
                             .T = static_cast<std::int64_t>(answer.size()),
                             .V = text.vocabulary},
                            ctx.lane);

  train::Example example{.prompt = prompt, .weight = {}};
  example.prompt.tokens.insert(example.prompt.tokens.end(), answer.begin(), answer.end());
  example.weight.assign(example.prompt.tokens.size(), 1.0f);
  const train::Example* one = &example;
  std::vector<float> from_learner;
  learner.measure({&one, 1}, &from_learner);
  from_learner.erase(from_learner.begin(),
                     from_learner.begin() + static_cast<std::ptrdiff_t>(prompt.tokens.size() - 1));
  EXPECT_EQ(from_engine, from_learner);
}

INSTANTIATE_TEST_SUITE_P(Models, OnPolicy,
                         ::testing::Values("scout", "maverick", "chunks", "temperature", "topk2",
                                           "twelve"));

}  // namespace
}  // namespace herd
