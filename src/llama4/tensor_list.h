// The tensors of a model as a Hugging Face directory holds them, from the one list that Model::parameters gives: for
// whoever writes a checkpoint.
#pragma once

#include <string>
#include <vector>

#include "llama4/config.h"
#include "tensor/tensor.h"

namespace herd::llama4 {

struct ListedTensor {
  enum class Role : std::uint8_t { matrix, norm, bias, embedding };

  std::string name;  // canonical (llama4/names.h)
  Shape shape;       // experts fused: gate_up_proj [E, D, 2I], down_proj [E, I, D]
  Role role = Role::matrix;
  std::int64_t fan_in =
      0;  // numbers that each output of a matrix is summed from; the width of an embedding
};

// In the order of the forward pass.
std::vector<ListedTensor> list_tensors(const Config& config);

// "layers.0.x" -> "language_model.model.layers.0.x", or "model.layers.0.x" in a text-only checkpoint: the inverse of
// canonical_name().
std::string published_name(std::string_view canonical, bool text_only);

}  // namespace herd::llama4
