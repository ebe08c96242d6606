// A model that learns: runs documents through the same model code that serves, goes back, and gathers gradients.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "llama4/adapter.h"
#include "llama4/load.h"
#include "llama4/model.h"
#include "nn/batch.h"
#include "train/balance.h"
#include "train/example.h"
#include "train/parameters.h"

namespace herd::train {

struct LearnerOptions {
  BalanceOptions balance = {};
  bool recompute =
      false;  // keep only what flows between blocks, and compute the rest again going back
  bool bfloat16 = false;  // round the factors of products, where the processor has an instruction
};

// Sums over tokens that count.
struct LossSum {
  double loss = 0;          // weight * -log p, in nats
  double weight = 0;        // of the tokens
  std::int64_t tokens = 0;  // that went through the model

  [[nodiscard]] double mean() const { return weight == 0 ? 0 : loss / weight; }
  LossSum& operator+=(const LossSum& other);
};

class Learner {
 public:
  // All of a model. Weights are zero: call initialize() or copy_weights(). `pool` must outlive the learner.
  Learner(const llama4::Config& config, ThreadPool& pool, LearnerOptions options = {});
  // The adapters of a loaded model, which shape_adapters() has shaped; its own numbers stay where they are mapped, as
  // they are. Call initialize_adapters().
  Learner(std::unique_ptr<llama4::Loaded> base, ThreadPool& pool, LearnerOptions options = {});

  [[nodiscard]] llama4::Model& model() { return *model_; }
  [[nodiscard]] const Parameters& parameters() const { return parameters_; }
  [[nodiscard]] Balance& balance() { return balance_; }
  [[nodiscard]] Context& context() { return ctx_; }

  // Adds the gradient of `scale` * (sum of weight * loss) over the examples to the parameters' gradients. `share` is
  // the part of the step that these examples are, for what is averaged over all tokens of a step.
  LossSum learn(std::span<const Example* const> examples, double scale, double share);

  // The losses alone. `per_token`, where given, gets -log p of every token but each document's first, in order.
  LossSum measure(std::span<const Example* const> examples,
                  std::vector<float>* per_token = nullptr);

 private:
  void prepare();
  LossSum run(nn::PackedBatch& batch, std::span<const Example* const> examples, double scale,
              std::vector<float>* per_token);
  [[nodiscard]] std::vector<std::int64_t> chunks() const;  // by layer, as KvShape has them
  void add_pictures(nn::PackedBatch& batch, std::span<const Example* const> examples);

  std::unique_ptr<llama4::Loaded> base_;  // one of these two is there
  std::unique_ptr<llama4::Model> own_;
  llama4::Model* model_;
  Parameters parameters_;
  Context ctx_;
  LearnerOptions options_;
  Balance balance_;
  double share_ = 1;
};

}  // namespace herd::train
