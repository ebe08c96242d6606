// Llama 4, whole: a decoder of blocks over one stream of text and pictures (early fusion).  Start reading at
// Model::forward in model.cc; equations in Meta's and Hugging Face's reference code, notation as in the papers.
//
// Letters: T rows of the batch, n wanted rows, D width, V vocabulary, B tiles, F picture vectors.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "llama4/attention.h"
#include "llama4/config.h"
#include "llama4/moe.h"
#include "llama4/vision.h"
#include "nn/batch.h"
#include "nn/feed_forward.h"
#include "nn/norm.h"

namespace herd::llama4 {

class Block {
 public:
  Block(const TextConfig& config, std::int64_t layer);

  // x_TD [T, D] -> [T, D]
  Tensor operator()(Context& ctx, const Tensor& x_TD, const nn::Batch& batch,
                    const Angles& angles) const;
  void parameters(nn::ParameterVisitor& visitor);

 private:
  nn::RmsNorm attention_norm_, feed_forward_norm_;
  Attention attention_;
  std::variant<nn::FeedForward, MoE> feed_forward_;  // MoE in the layers that config.is_moe names
};

class Model {
 public:
  // A model of this shape without numbers: parameters() says what is wanted, llama4/load.h fills it in.
  explicit Model(const Config& config);

  [[nodiscard]] const Config& config() const { return config_; }

  // Runs the batch and lets its caches grow. Logits of the rows that the batch wants, in order -> [n, V].
  // They lie in the context's arena: valid until it is reset.
  Tensor forward(Context& ctx, const nn::Batch& batch) const;

  // The same before the output matrix, for losses that never hold all logits -> [n, D]. The batch must live as long as
  // the context's tape, where there is one.
  Tensor hidden(Context& ctx, const nn::Batch& batch) const;
  // hidden_nD [n, D] -> [n, V]; forward() is the two, one after the other.
  [[nodiscard]] Tensor logits(Context& ctx, const Tensor& hidden_nD) const {
    return head_(ctx, hidden_nD);
  }
  [[nodiscard]] const Matrix& output() const { return head_.weight; }  // (V, D)

  // What a picture becomes: pixels_BCSS [B, 3, S, S] -> [B * tokens_per_tile, D]. The model must have eyes.
  Tensor see(Context& ctx, const Tensor& pixels_BCSS) const;

  // The shape of a cache that fits this model.
  [[nodiscard]] nn::KvShape kv_shape(DType dtype) const;

  // Every parameter, once, under its canonical name.
  void parameters(nn::ParameterVisitor& visitor);

 private:
  Config config_;
  std::vector<float> rope_frequency_P_;
  nn::Linear embedding_;  // (V, D), used by rows
  std::vector<Block> blocks_;
  nn::RmsNorm norm_;
  nn::Linear head_;  // (V, D)
  std::optional<Vision> vision_;
  nn::Linear projector_;
};

}  // namespace herd::llama4
