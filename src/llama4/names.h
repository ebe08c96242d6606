// The names of a Llama 4's tensors, whoever wrote the checkpoint. One spelling is canonical, that of Hugging Face's
// multimodal files with the text model's prefix taken off; D width, I inner width, E experts, V vocabulary:
//   embed_tokens.weight [V, D]      norm.weight [D]      lm_head.weight [V, D]
//   layers.{l}.input_layernorm.weight, .post_attention_layernorm.weight [D]
//   layers.{l}.self_attn.{q,k,v,o}_proj.weight
//   layers.{l}.feed_forward.router.weight [E, D]
//   layers.{l}.feed_forward.experts.gate_up_proj [E, D, 2I], .down_proj [E, I, D]      input-major, gate before up
//   layers.{l}.feed_forward.experts.{e}.{gate,up,down}_proj.weight, .weight_scale      instead, where stored unfused
//                      or, any matrix in int4, .weight_packed, .weight_scale, .weight_shape (pack_quantized.h)
//   layers.{l}.feed_forward.shared_expert.{gate,up,down}_proj.weight
//   layers.{l}.feed_forward.{gate,up,down}_proj.weight                                 dense layers
//   vision_model.*      multi_modal_projector.linear_1.weight
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "checkpoint/store.h"
#include "llama4/config.h"
#include "tensor/tensor.h"

namespace herd::llama4 {

// A view; `data` lives as long as the Store and the TensorMap it came from.
struct NamedTensor {
  DType dtype = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;
  bool packed = false;  // a matrix of Layout::packed, out of a packed store
};

class TensorMap {
 public:
  TensorMap() = default;
  TensorMap(TensorMap&&) = default;
  TensorMap& operator=(TensorMap&&) = default;
  TensorMap(const TensorMap&) = delete;  // it owns what some views point to
  TensorMap& operator=(const TensorMap&) = delete;

  // Null when no file has it. Remembers that it was asked for. lm_head.weight is embed_tokens.weight where the
  // configuration ties them and no file has it.
  [[nodiscard]] const NamedTensor* find(std::string_view canonical) const;

  // Names never asked for, sorted.
  [[nodiscard]] std::vector<std::string> unused() const;

  // To be called when the model has taken its tensors: tensor_unexpected, naming up to five that nobody asked for.
  [[nodiscard]] Result<void> expect_none_left() const;

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  friend Result<TensorMap> canonical_tensors(const checkpoint::Store&, const Config&,
                                             const checkpoint::Progress&);

  struct Entry {
    std::string canonical;
    std::string stored;  // as the file spells it
    NamedTensor tensor;
    mutable bool asked = false;
  };
  const Entry* entry(std::string_view canonical) const;

  std::vector<Entry> entries_;                  // sorted by canonical name
  std::deque<std::vector<std::byte>> storage_;  // what had to be converted or merged
  bool ties_embeddings_ = false;
};

// Names every tensor of `store`. Views of the mapped files, except: weight scales become float32, tensors that a file
// keeps at an odd address are copied, and matrices in int4 and the pieces of Meta's checkpoints are put together in
// memory of the TensorMap (`progress` tells how far that is). Without those of a vision encoder that is left out. Fails
// with duplicate_tensor when two stored names mean the same tensor, and with the errors of llama4/meta.h and
// llama4/pack_quantized.h.
Result<TensorMap> canonical_tensors(const checkpoint::Store& store, const Config& config,
                                    const checkpoint::Progress& progress = {});

// "language_model.model.layers.0.x" -> "layers.0.x"; empty for tensors that carry nothing (rotary_emb.inv_freq).
std::string canonical_name(std::string_view stored);

// Whether a tensor is of the vision encoder, its projector into the text model included.
bool is_of_vision(std::string_view canonical);

}  // namespace herd::llama4
