#include "train/learner.h"

#include <algorithm>

#include "ops/loss.h"

namespace herd::train {

LossSum& LossSum::operator+=(const LossSum& other) {
  loss += other.loss;
  weight += other.weight;
  tokens += other.tokens;
  return *this;
}

Learner::Learner(const llama4::Config& config, ThreadPool& pool, LearnerOptions options)
    : own_(std::make_unique<llama4::Model>(config)),
      model_(own_.get()),
      parameters_(*model_),
      ctx_(cpu_kernels(), pool),
      options_(options),
      balance_(options.balance, config.text.experts) {
  prepare();
}

Learner::Learner(std::unique_ptr<llama4::Loaded> base, ThreadPool& pool, LearnerOptions options)
    : base_(std::move(base)),
      model_(&base_->model()),
      parameters_(*model_, Learned::adapters),
      ctx_(cpu_kernels(), pool),
      options_(options),
      balance_(options.balance, model_->config().text.experts) {
  prepare();
}

void Learner::prepare() {
  ctx_.recomputes = options_.recompute;
  ctx_.lane.bfloat16 = options_.bfloat16;
  ctx_.watch = [this](std::string_view place, std::int64_t layer, const Tensor& x) {
    balance_.saw(ctx_, place, layer, x, share_);
  };
}

LossSum Learner::learn(std::span<const Example* const> examples, double scale, double share) {
  ctx_.arena.reset();
  share_ = share;
  Tape tape(ctx_, parameters_.leaves());
  ctx_.tape = &tape;
  nn::PackedBatch batch(chunks());  // the tape refers to it
  const LossSum sum = run(batch, examples, scale, nullptr);
  ctx_.tape = nullptr;
  tape.backward();
  return sum;
}

LossSum Learner::measure(std::span<const Example* const> examples, std::vector<float>* per_token) {
  ctx_.arena.reset();
  share_ = 0;
  nn::PackedBatch batch(chunks());
  return run(batch, examples, 1.0, per_token);
}

std::vector<std::int64_t> Learner::chunks() const {
  const llama4::TextConfig& text = model_->config().text;
  std::vector<std::int64_t> chunk;
  for (const bool rotates : text.rotates) chunk.push_back(rotates ? text.chunk : 0);
  return chunk;
}

LossSum Learner::run(nn::PackedBatch& batch, std::span<const Example* const> examples, double scale,
                     std::vector<float>* per_token) {
  std::vector<std::int32_t> target;
  std::vector<float> weight;
  for (const Example* example : examples) {
    const std::int64_t first = batch.rows();
    const std::vector<std::int32_t>& tokens = example->prompt.tokens;
    HERD_CHECK(example->weight.size() == tokens.size(), "{} weights for {} tokens",
               example->weight.size(), tokens.size());
    batch.add(tokens);
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      if (per_token == nullptr && example->weight[i + 1] == 0) continue;
      batch.want(static_cast<std::int32_t>(first + static_cast<std::int64_t>(i)));
      target.push_back(tokens[i + 1]);
      weight.push_back(example->weight[i + 1]);
    }
  }
  add_pictures(batch, examples);
  const Tensor h_nD = model_->hidden(ctx_, batch);
  std::vector<float> factor(weight.size(), 1.0f);
  if (per_token == nullptr)
    std::ranges::transform(weight, factor.begin(),
                           [&](float w) { return static_cast<float>(scale * double{w}); });
  const Tensor loss_n = cross_entropy(ctx_, h_nD, model_->output(), target, factor);

  LossSum sum{.loss = 0, .weight = 0, .tokens = batch.rows()};
  const std::span loss = loss_n.as<float>();
  for (std::size_t i = 0; i < loss.size(); ++i) {
    sum.loss += double{weight[i]} * double{loss[i]};
    sum.weight += double{weight[i]};
  }
  if (per_token != nullptr) per_token->assign(loss.begin(), loss.end());
  return sum;
}

void Learner::add_pictures(nn::PackedBatch& batch, std::span<const Example* const> examples) {
  std::int64_t tiles = 0, first = 0;
  std::vector<std::int32_t> rows;
  for (const Example* example : examples) {
    for (const engine::Picture& picture : example->prompt.pictures) tiles += picture.tiles;
    for (const std::int64_t patch : example->prompt.patches)
      rows.push_back(static_cast<std::int32_t>(first + patch));
    first += static_cast<std::int64_t>(example->prompt.tokens.size());
  }
  if (tiles == 0) return;
  const std::int64_t side = model_->config().vision->image_size;
  const Tensor pixels = ctx_.empty({tiles, 3, side, side});
  float* to = pixels.as<float>().data();
  for (const Example* example : examples)
    for (const engine::Picture& picture : example->prompt.pictures)
      to = std::ranges::copy(picture.pixels.all(), to).out;
  batch.set_features(model_->see(ctx_, pixels), std::move(rows));
}

}  // namespace herd::train
