#include "llama4/vision.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/expect.h"
#include "ops/route.h"
#include "ops/tape.h"

namespace herd::llama4 {
namespace {

// While it lives, products may round their inputs to bfloat16 too; in training they may in any case.
class Rounding {
 public:
  Rounding(Context& ctx, bool rounds) : ctx_(ctx), before_(ctx.lane.bfloat16) {
    ctx.lane.bfloat16 |= rounds;
  }
  Rounding(const Rounding&) = delete;
  Rounding& operator=(const Rounding&) = delete;
  ~Rounding() { ctx_.lane.bfloat16 = before_; }

 private:
  Context& ctx_;
  bool before_;
};

}  // namespace

Vision::Vision(const VisionConfig& config)
    : config_(config),
      patch_embedding_(config.channels * config.patch_size * config.patch_size, config.width),
      norm_before_(config.width, config.norm_eps),
      norm_after_(config.width, config.norm_eps) {
  const std::int64_t patches = config.patches_per_side() * config.patches_per_side();
  class_embedding_W_.shape = {config.width};
  positional_embedding_NW_.shape = {patches + 1, config.width};
  for (std::int64_t layer = 0; layer < config.layers; ++layer) blocks_.emplace_back(config);
  // The shuffle folds a square of patches into one vector, so the adapter sees them side by side.
  const auto fold = static_cast<std::int64_t>(std::lround(1.0 / config.pixel_shuffle_ratio));
  adapter_1_ = nn::Linear(config.width * fold * fold, config.projector_input);
  adapter_2_ = nn::Linear(config.projector_input, config.projector_output);
}

Tensor Vision::operator()(Context& ctx, const Tensor& pixels_BCSS) const {
  const std::int64_t tiles = pixels_BCSS.rows();
  const Tensor patches_NW = patch_embedding_(ctx, patches(ctx, pixels_BCSS));
  const Tensor tokens_TW = with_class_token(ctx, patches_NW, tiles);
  Tensor x_TW = norm_before_(ctx, tokens_TW);
  const Angles turns = angles(ctx, tiles);
  const std::int64_t length = tokens_TW.rows() / tiles;
  for (const VisionBlock& block : blocks_)
    x_TW = recompute(ctx, x_TW, [&ctx, &block, turns, length](const Tensor& x) {
      return block(ctx, x, turns, length);
    });
  const Tensor folded = pixel_shuffle(ctx, norm_after_(ctx, x_TW), tiles);
  return gelu(ctx, adapter_2_(ctx, gelu(ctx, adapter_1_(ctx, folded))));
}

// Tiles into rows of patches, channel by channel: element c S_p^2 + y S_p + x of row (tile, patch row, patch column).
Tensor Vision::patches(Context& ctx, const Tensor& pixels_BCSS) const {
  Dim B{"B"}, C{"C", config_.channels}, S{"S", config_.image_size};
  expect(pixels_BCSS, {B, C, S, S});
  const std::int64_t side = config_.patches_per_side(), patch = config_.patch_size;
  Tensor out = ctx.empty({B.size() * side * side, C.size() * patch * patch});
  const float* pixel = pixels_BCSS.as<float>().data();
  float* to = out.as<float>().data();
  for (std::int64_t tile = 0; tile < B.size(); ++tile)
    for (std::int64_t row = 0; row < side; ++row)
      for (std::int64_t column = 0; column < side; ++column)
        for (std::int64_t channel = 0; channel < C.size(); ++channel)
          for (std::int64_t y = 0; y < patch; ++y) {
            const std::int64_t line = (tile * C.size() + channel) * S.size() + row * patch + y;
            to = std::copy_n(pixel + line * S.size() + column * patch, patch, to);
          }
  return out;
}

// Each tile's patches, then the class vector as its LAST row, plus the learned position of every row.
Tensor Vision::with_class_token(Context& ctx, const Tensor& x_NW, std::int64_t tiles) const {
  const std::int64_t patches = x_NW.rows() / tiles, width = config_.width;
  Tensor out = ctx.empty({tiles * (patches + 1), width});
  const float* from = x_NW.as<float>().data();
  const float* position = positional_embedding_NW_.as<float>().data();
  float* to = out.as<float>().data();
  for (std::int64_t tile = 0; tile < tiles; ++tile)
    for (std::int64_t row = 0; row <= patches; ++row)
      for (std::int64_t w = 0; w < width; ++w) {
        const float value =
            row < patches ? *from++ : class_embedding_W_.as<float>()[static_cast<std::size_t>(w)];
        *to++ = value + position[row * width + w];
      }
  if (ctx.tape != nullptr)
    ctx.tape->record(
        out, {x_NW.data, class_embedding_W_.data, positional_embedding_NW_.data},
        [&ctx, tape = ctx.tape, this, x_NW, tiles, patches, width](const Tensor& dy_TW) {
          const Tensor dx_NW = ctx.like(x_NW);
          float* d_patch = dx_NW.as<float>().data();
          float* d_class = tape->leaf(class_embedding_W_.data);
          float* d_position = tape->leaf(positional_embedding_NW_.data);
          const float* dy = dy_TW.as<float>().data();
          for (std::int64_t tile = 0; tile < tiles; ++tile)
            for (std::int64_t row = 0; row <= patches; ++row)
              for (std::int64_t w = 0; w < width; ++w, ++dy) {
                if (row < patches)
                  *d_patch++ = *dy;
                else if (d_class != nullptr)
                  d_class[w] += *dy;
                if (d_position != nullptr) d_position[row * width + w] += *dy;
              }
          tape->give(x_NW, dx_NW);
        });
  return out;
}

// Drops the class row and puts each square of patches side by side: (0,0), (0,1), (1,0), (1,1).
Tensor Vision::pixel_shuffle(Context& ctx, const Tensor& x_TW, std::int64_t tiles) const {
  const std::int64_t side = config_.patches_per_side(), width = config_.width;
  const auto fold = static_cast<std::int64_t>(std::lround(1.0 / config_.pixel_shuffle_ratio));
  const std::int64_t folded_side = side / fold;
  const std::int64_t rows = tiles * folded_side * folded_side;
  const std::span source = ctx.array<std::int32_t>(rows * fold * fold);  // the row of x_TW
  auto* next = source.data();
  for (std::int64_t tile = 0; tile < tiles; ++tile)
    for (std::int64_t row = 0; row < folded_side; ++row)
      for (std::int64_t column = 0; column < folded_side; ++column)
        for (std::int64_t y = 0; y < fold; ++y)
          for (std::int64_t x = 0; x < fold; ++x) {
            const std::int64_t patch = (row * fold + y) * side + column * fold + x;
            *next++ = static_cast<std::int32_t>(tile * (side * side + 1) + patch);
          }
  return gather_rows(ctx, x_TW, source).view({rows, fold * fold * width});
}

// Two-dimensional RoPE: the first half of a head's pairs turns with the column, the second with the row, both counted
// from 1; the class row does not turn.  omega_j = theta^(-2j / (d/2)), j = 0 .. d/4 - 1.
Angles Vision::angles(Context& ctx, std::int64_t tiles) const {
  const std::int64_t side = config_.patches_per_side();
  const std::int64_t pairs = config_.width / config_.heads / 2;
  const std::int64_t length = side * side + 1;
  Angles out{ctx.empty({tiles * length, pairs}), ctx.empty({tiles * length, pairs})};
  float* cosine = out.cos_TP.as<float>().data();
  float* sine = out.sin_TP.as<float>().data();
  for (std::int64_t row = 0; row < tiles * length; ++row) {
    const std::int64_t patch = row % length;
    const bool is_class = patch == length - 1;
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      const std::int64_t j = pair % (pairs / 2);
      const std::int64_t place = (pair < pairs / 2 ? patch % side : patch / side) + 1;
      const auto frequency = static_cast<float>(
          std::pow(config_.rope_theta, -2.0 * static_cast<double>(j) / static_cast<double>(pairs)));
      const float angle = is_class ? 0.0f : static_cast<float>(place) * frequency;
      *cosine++ = static_cast<float>(std::cos(static_cast<double>(angle)));
      *sine++ = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
  return out;
}

void Vision::parameters(nn::ParameterVisitor& visitor) {
  visitor.in("patch_embedding", [&] { nn::visit(visitor, "linear", patch_embedding_); });
  visitor.vector(visitor.path("class_embedding"), class_embedding_W_);
  visitor.vector(visitor.path("positional_embedding_vlm"), positional_embedding_NW_);
  nn::visit(visitor, "layernorm_pre", norm_before_);
  nn::visit(visitor, "layernorm_post", norm_after_);
  visitor.in("model", [&] {
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer)
      nn::visit(visitor, fmt::format("layers.{}", layer), blocks_[layer]);
  });
  visitor.in("vision_adapter.mlp", [&] {
    nn::visit(visitor, "fc1", adapter_1_);
    nn::visit(visitor, "fc2", adapter_2_);
  });
}

VisionBlock::VisionBlock(const VisionConfig& config)
    : attention_norm_(config.width, config.norm_eps),
      feed_forward_norm_(config.width, config.norm_eps),
      attention_(config),
      up_(config.width, config.inner_width, true),
      down_(config.inner_width, config.width, true) {}

bool VisionAttention::is_of(bool (*format)(DType)) const {
  return std::ranges::all_of(std::array{&query_, &key_, &value_, &out_},
                             [&](const nn::Linear* one) { return format(one->weight.dtype); });
}

// Quantized matrices round their own inputs to eight bits, so this adds attention's.
bool VisionBlock::may_round() const {
  const auto all_are = [&](bool (*format)(DType)) {
    return attention_.is_of(format) && format(up_.weight.dtype) && format(down_.weight.dtype);
  };
  return all_are([](DType dtype) { return dtype == DType::bf16; }) || all_are(is_quantized);
}

Tensor VisionBlock::operator()(Context& ctx, const Tensor& x_TW, const Angles& angles,
                               std::int64_t length) const {
  // A tile alone has rows enough to be treated as many are, so that its bits do not depend on how many there are.
  constexpr std::int64_t rounded_length_min = 64;
  const Rounding rounding(ctx, ctx.rounds_pictures && length >= rounded_length_min && may_round());
  const Tensor h_TW = add(ctx, x_TW, attention_(ctx, attention_norm_(ctx, x_TW), angles, length));
  return add(ctx, h_TW, down_(ctx, gelu(ctx, up_(ctx, feed_forward_norm_(ctx, h_TW)))));
}

void VisionBlock::parameters(nn::ParameterVisitor& visitor) {
  nn::visit(visitor, "input_layernorm", attention_norm_);
  nn::visit(visitor, "post_attention_layernorm", feed_forward_norm_);
  nn::visit(visitor, "self_attn", attention_);
  visitor.in("mlp", [&] {
    nn::visit(visitor, "fc1", up_);
    nn::visit(visitor, "fc2", down_);
  });
}

VisionAttention::VisionAttention(const VisionConfig& config)
    : query_(config.width, config.width, true),
      key_(config.width, config.width, true),
      value_(config.width, config.width, true),
      out_(config.width, config.width, true),
      heads_(config.heads),
      head_size_(config.width / config.heads) {}

Tensor VisionAttention::operator()(Context& ctx, const Tensor& x_TW, const Angles& angles,
                                   std::int64_t length) const {
  const Shape heads{x_TW.rows(), heads_, head_size_};
  const Tensor q_THd = rope(ctx, query_(ctx, x_TW).view(heads), angles);
  const Tensor k_THd = rope(ctx, key_(ctx, x_TW).view(heads), angles);
  const Tensor v_THd = value_(ctx, x_TW).view(heads);
  const Keys keys = keys_within(k_THd, v_THd, equal_segments(ctx, x_TW.rows(), length), false);
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_size_));
  const Tensor o_THd = attend(ctx, q_THd, keys, scale);
  return out_(ctx, o_THd.view(x_TW.shape));
}

void VisionAttention::parameters(nn::ParameterVisitor& visitor) {
  nn::visit(visitor, "q_proj", query_);
  nn::visit(visitor, "k_proj", key_);
  nn::visit(visitor, "v_proj", value_);
  nn::visit(visitor, "o_proj", out_);
}

}  // namespace herd::llama4
