// Quantized weights laid out for the processor (kernels/packed.h), once, after a model's parameters are bound: for
// answering, not for learning, whose way back reads matrices as their files have them.
#pragma once

#include <cstdint>

#include "base/arena.h"
#include "kernels/table.h"
#include "llama4/model.h"

namespace herd::llama4 {

class PackedWeights {
 public:
  // Packs every matrix of a format that can be packed and points the model at the result, each expert's in one run of
  // memory. The embedding table stays as it is, being read row by row. The files' pages are not needed afterwards.
  void pack(Model& model, const Lane& lane);

  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

 private:
  friend class PackingVisitor;
  Arena memory_;
  std::int64_t bytes_ = 0;
};

}  // namespace herd::llama4
