// A file of torch.save (.pth): a ZIP with a pickle that describes tensors and one entry for each storage. The
// tensors are views of the mapped file; only what the pickle describes as transposed or strided is put in order,
// in memory of ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace herd::checkpoint {

struct TorchTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::span<const std::byte> bytes;  // points into the file, or into TorchFile::storage
};

struct TorchFile {
  std::vector<TorchTensor> tensors;  // sorted by name, each name once
  std::deque<std::vector<std::byte>> storage;
};

// Fails with the errors of zip.h and pickle.h, with tensor_range when a tensor's bytes lie outside its storage,
// shape_overflow, duplicate_tensor, and bad_magic for the format that torch wrote before 1.6.
Result<TorchFile> parse_torch_file(std::span<const std::byte> file);

}  // namespace herd::checkpoint
