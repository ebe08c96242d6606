// Quantized weights laid out for the processor (kernels/packed.h), once, after a model's parameters are bound: for
// answering, not for learning, whose way back reads matrices as their files have them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/file.h"
#include "kernels/table.h"
#include "llama4/model.h"

namespace herd::llama4 {

// Whether the matrix of this name and format is packed: in memory, and in a packed store. The embedding table, read row
// by row, is not.
bool is_packed_in_stores(std::string_view canonical, DType dtype);

class PackedWeights {
 public:
  // Packs every matrix of a format that can be packed and points the model at the result, each expert's in one run of
  // memory. What lies in `files` is given back to the system as soon as it is packed, so that memory never holds more
  // than one matrix twice; reading it again would read the disk.
  void pack(Model& model, const Lane& lane, std::span<const Mapping> files = {});

  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

 private:
  friend class PackingVisitor;
  Arena memory_;
  std::int64_t bytes_ = 0;
};

}  // namespace herd::llama4
