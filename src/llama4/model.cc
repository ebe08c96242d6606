#include "llama4/model.h"

#include <algorithm>

#include "ops/elementwise.h"
#include "ops/route.h"
#include "ops/tape.h"

namespace herd::llama4 {

Tensor Model::forward(Context& ctx, const nn::Batch& batch) const {
  return head_(ctx, hidden(ctx, batch));
}

Tensor Model::hidden(Context& ctx, const nn::Batch& batch) const {
  const nn::RowAdapters::Use use(ctx, batch.adapters());
  Tensor x_TD = embed(ctx, embedding_.weight, batch.tokens());
  if (batch.features()) x_TD = replace_rows(ctx, x_TD, batch.features(), batch.feature_rows());
  ctx.saw("embed", -1, x_TD);
  const Angles angles = rope_angles(ctx, batch.positions(), rope_frequency_P_);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    x_TD = recompute(ctx, x_TD, [&, angles, layer](const Tensor& in_TD) {
      return blocks_[layer](ctx, in_TD, batch, angles);
    });
    ctx.saw("hidden", static_cast<std::int64_t>(layer), x_TD);
  }
  batch.commit();
  return norm_(ctx, gather_rows(ctx, x_TD, batch.wanted()));
}

Tensor Block::operator()(Context& ctx, const Tensor& x_TD, const nn::Batch& batch,
                         const Angles& angles) const {
  const Tensor h_TD = add(ctx, x_TD, attention_(ctx, attention_norm_(ctx, x_TD), batch, angles));
  const Tensor n_TD = feed_forward_norm_(ctx, h_TD);
  return add(ctx, h_TD, std::visit([&](const auto& f) { return f(ctx, n_TD); }, feed_forward_));
}

Tensor Model::see(Context& ctx, const Tensor& pixels_BCSS) const {
  HERD_CHECK(vision_.has_value(), "this model has no vision encoder");
  const Tensor seen = (*vision_)(ctx, pixels_BCSS);
  ctx.saw("vision", -1, seen);
  const Tensor projected = projector_(ctx, seen);
  ctx.saw("projected", -1, projected);
  return projected;
}

namespace {

std::variant<nn::FeedForward, MoE> feed_forward_of(const TextConfig& config, std::int64_t layer) {
  if (config.is_moe[static_cast<std::size_t>(layer)]) return MoE(config, layer);
  return nn::FeedForward(config.width, config.dense_width);
}

}  // namespace

Model::Model(const Config& config)
    : config_(config),
      rope_frequency_P_(rope_frequencies(config.text)),
      embedding_(config.text.width, config.text.vocabulary),
      norm_(config.text.width, config.text.norm_eps),
      head_(config.text.width, config.text.vocabulary) {
  for (std::int64_t layer = 0; layer < config.text.layers; ++layer)
    blocks_.emplace_back(config.text, layer);
  if (config.vision) {
    vision_.emplace(*config.vision);
    projector_ = nn::Linear(config.vision->projector_output, config.text.width);
  }
}

nn::KvShape Model::kv_shape(DType dtype) const {
  nn::KvShape shape;
  shape.heads = config_.text.key_value_heads;
  shape.head_size = config_.text.head_size;
  shape.dtype = dtype;
  for (const bool rotates : config_.text.rotates)
    shape.chunk.push_back(rotates ? config_.text.chunk : 0);
  return shape;
}

void Model::parameters(nn::ParameterVisitor& visitor) {
  nn::visit(visitor, "embed_tokens", embedding_);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer)
    nn::visit(visitor, fmt::format("layers.{}", layer), blocks_[layer]);
  nn::visit(visitor, "norm", norm_);
  nn::visit(visitor, "lm_head", head_);
  if (vision_) {
    nn::visit(visitor, "vision_model", *vision_);
    visitor.in("multi_modal_projector", [&] { nn::visit(visitor, "linear_1", projector_); });
  }
}

Block::Block(const TextConfig& config, std::int64_t layer)
    : attention_norm_(config.width, config.norm_eps),
      feed_forward_norm_(config.width, config.norm_eps),
      attention_(config, layer),
      feed_forward_(feed_forward_of(config, layer)) {}

void Block::parameters(nn::ParameterVisitor& visitor) {
  nn::visit(visitor, "input_layernorm", attention_norm_);
  nn::visit(visitor, "self_attn", attention_);
  nn::visit(visitor, "post_attention_layernorm", feed_forward_norm_);
  visitor.in("feed_forward",
             [&] { std::visit([&](auto& layer) { layer.parameters(visitor); }, feed_forward_); });
}

}  // namespace herd::llama4
