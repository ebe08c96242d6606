// Quantized weights laid out for the processor (kernels/packed.h), once, after a model's parameters are bound: for
// answering, not for learning, whose way back reads matrices as their files have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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
  struct Free {
    void operator()(std::byte* memory) const;
  };
  friend class PackingVisitor;
  std::vector<std::unique_ptr<std::byte, Free>> memory_;
  std::int64_t bytes_ = 0;
};

}  // namespace herd::llama4
