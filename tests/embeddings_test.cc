// A prompt as one vector, from the engine, against the transformers library (tools/reference/make_embeddings.py).
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "engine/testing/waiting_listener.h"
#include "llama4/load.h"
#include "text/tokenizer.h"

namespace herd::engine {
namespace {

class Vector : public WaitingListener {
 public:
  void token(const TokenEvent&) override { ADD_FAILURE() << "a token where none is wanted"; }
  void embedding(std::span<const float> vector) override {
    got.assign(vector.begin(), vector.end());
  }
  std::vector<float> got;
};

std::vector<double> numbers(const json::value& list) {
  std::vector<double> out;
  for (const json::value& value : list.as_array()) out.push_back(value.to_number<double>());
  return out;
}

class Embeddings : public testing::TestWithParam<const char*> {};

TEST_P(Embeddings, AgreeWithTransformersWhateverTheBatchAndTheCache) {
  const fs::path root = HERD_ROOT;
  const auto loaded = llama4::load(root / "tests/data/models" / GetParam()).value();
  const auto tokenizer = text::Tokenizer::from_directory(root / "models/cria").value();
  const json::value data =
      parse_json(read_file(root / "tests/data/embeddings.json", 1 << 24).value()).value();
  ThreadPool pool(2);
  // Small steps, so that a prompt comes in several pieces.
  const auto engine = Engine::create(loaded->model(), tokenizer, pool,
                                     {.context = 512, .step_tokens = 24}, DType::f32)
                          .value();
  int cases = 0;
  for (const json::value& value : data.at("cases").as_array()) {
    if (value.at("model").as_string() != GetParam()) continue;
    ++cases;
    struct Asked {
      Pooling pooling;
      std::vector<double> wanted;
      std::shared_ptr<Vector> heard = std::make_shared<Vector>();  // shared with the engine
    };
    // All at once, and each twice: the second finds the first one's prefix in the cache.
    std::vector<Asked> asked;
    for (int round = 0; round < 2; ++round) {
      asked.push_back({Pooling::mean, numbers(value.at("mean"))});
      asked.push_back({Pooling::last, numbers(value.at("last"))});
    }
    for (const Asked& one : asked) {
      Request request;
      for (const double token : numbers(value.at("prompt")))
        request.prompt.tokens.push_back(static_cast<std::int32_t>(token));
      request.options.max_tokens = 0;
      request.pooling = one.pooling;
      ASSERT_TRUE(engine->submit(std::move(request), one.heard).has_value());
    }
    for (const Asked& one : asked) {
      const Answer answer = one.heard->wait().value();
      EXPECT_TRUE(answer.tokens.empty());
      ASSERT_EQ(one.heard->got.size(), one.wanted.size());
      double length = 0, difference = 0;
      for (std::size_t i = 0; i < one.wanted.size(); ++i) {
        length += one.wanted[i] * one.wanted[i];
        difference += std::pow(one.wanted[i] - static_cast<double>(one.heard->got[i]), 2);
      }
      EXPECT_LT(std::sqrt(difference / length), 1e-5);
    }
  }
  EXPECT_EQ(cases, 3);
}

INSTANTIATE_TEST_SUITE_P(Models, Embeddings, testing::Values("scout", "chunks", "topk2"),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace herd::engine
