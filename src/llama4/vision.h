// Llama 4's vision encoder: a ViT over each 336 x 336 tile, a pixel shuffle that folds 2 x 2 neighbours into one
// vector, an MLP adapter, and the projector into the text model's width.  Spec 3.1 to 3.4.
//
// Letters: B tiles, S side of a tile in pixels, P patches a side, N = P P patches, W vision width, H heads, d head
// size.
#pragma once

#include <vector>

#include "llama4/config.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "ops/rope.h"

namespace herd::llama4 {

class VisionAttention {
 public:
  explicit VisionAttention(const VisionConfig& config);
  // x_TW [T, W]: tiles of `length` rows that see each other; angles [T, d/2] -> [T, W]
  Tensor operator()(Context& ctx, const Tensor& x_TW, const Angles& angles,
                    std::int64_t length) const;
  void parameters(nn::ParameterVisitor& visitor);
  // Whether every matrix is of such a format.
  [[nodiscard]] bool is_of(bool (*format)(DType)) const;

 private:
  nn::Linear query_, key_, value_, out_;
  std::int64_t heads_, head_size_;
};

class VisionBlock {
 public:
  explicit VisionBlock(const VisionConfig& config);
  Tensor operator()(Context& ctx, const Tensor& x_TW, const Angles& angles,
                    std::int64_t length) const;
  void parameters(nn::ParameterVisitor& visitor);

 private:
  // Whether its matrices' formats allow that inputs are rounded to bfloat16.
  [[nodiscard]] bool may_round() const;

  nn::LayerNorm attention_norm_, feed_forward_norm_;
  VisionAttention attention_;
  nn::Linear up_, down_;
};

class Vision {
 public:
  explicit Vision(const VisionConfig& config);

  // pixels_BCSS [B, 3, S, S], normalised -> [B * tokens_per_tile, vision_output_dim], tiles in order, each row by row.
  // Tiles do not see each other, so any number of them gives each the same bits.
  Tensor operator()(Context& ctx, const Tensor& pixels_BCSS) const;

  void parameters(nn::ParameterVisitor& visitor);

 private:
  [[nodiscard]] Tensor patches(Context& ctx, const Tensor& pixels_BCSS) const;
  [[nodiscard]] Tensor with_class_token(Context& ctx, const Tensor& x_NW, std::int64_t tiles) const;
  [[nodiscard]] Tensor pixel_shuffle(Context& ctx, const Tensor& x_TW, std::int64_t tiles) const;
  [[nodiscard]] Angles angles(Context& ctx, std::int64_t tiles) const;

  VisionConfig config_;
  nn::Linear patch_embedding_;
  Tensor class_embedding_W_, positional_embedding_NW_;
  nn::LayerNorm norm_before_, norm_after_;
  std::vector<VisionBlock> blocks_;
  nn::Linear adapter_1_, adapter_2_;
};

}  // namespace herd::llama4
