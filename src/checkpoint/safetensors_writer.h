// Writes a safetensors file front to back: the header first, then every tensor's bytes as they are made, in any pieces.
// Memory does not grow with the tensors.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/whole_file.h"
#include "tensor/tensor.h"

namespace herd::checkpoint {

// A tensor that is going to be written.
struct PlannedTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  bool packed = false;  // of a packed store: in blocks as the CPU multiplies them

  [[nodiscard]] std::uint64_t bytes() const {
    return static_cast<std::uint64_t>(shape.elements()) * row_of(dtype).bytes;
  }
};

class SafetensorsWriter {
 public:
  // The tensors lie in the file in the order given. The header is padded so that their bytes begin at a multiple of 64,
  // and its metadata says {"format": "pt"}, without which the reference library refuses to load. Fails with
  // cannot_create.
  static Result<SafetensorsWriter> create(const fs::path& path,
                                          std::span<const PlannedTensor> tensors,
                                          WholeFile::Existing existing = WholeFile::Existing::kept);

  // The next bytes. Fails with io_failed.
  Result<void> write(std::span<const std::byte> bytes);

  // To be called when all bytes were written: the file is there from then on, and without it never. Fails with
  // io_failed or cannot_create.
  Result<void> finish();

 private:
  explicit SafetensorsWriter(WholeFile file) : file_(std::move(file)) {}

  WholeFile file_;
  std::uint64_t left_ = 0;
};

// How tensors are spread over files of at most `bytes_max` each, in order; a larger tensor gets a file of its own.
// Returns the index of the first tensor of every file.
std::vector<std::size_t> split_into_shards(std::span<const PlannedTensor> tensors,
                                           std::uint64_t bytes_max);

// "model.safetensors" for a single one, else "model-00002-of-00007.safetensors" as the reference library names them.
std::string shard_name(std::size_t index, std::size_t count);

// The text of model.safetensors.index.json. `begins` as split_into_shards gives it.
std::string shard_index_text(std::span<const PlannedTensor> tensors,
                             std::span<const std::size_t> begins);

}  // namespace herd::checkpoint
