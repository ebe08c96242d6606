// NumPy's .npy, version 1.0: float32 arrays, written piece by piece, for numbers that other tools will read.
#pragma once

#include <cstdint>
#include <span>

#include "base/whole_file.h"
#include "tensor/tensor.h"

namespace herd::checkpoint {

class NpyWriter {
 public:
  // Creates the file with its header. Fails with cannot_create.
  static Result<NpyWriter> create(const fs::path& path, const Shape& shape);

  // The next numbers in row-major order. Fails with io_failed.
  Result<void> write(std::span<const float> numbers);

  // To be called when as many numbers as the shape holds were written; puts the file in its place. Without it, no file
  // of that name appears.
  Result<void> finish();

 private:
  NpyWriter(WholeFile file, std::int64_t numbers) : file_(std::move(file)), left_(numbers) {}

  WholeFile file_;
  std::int64_t left_;
};

}  // namespace herd::checkpoint
