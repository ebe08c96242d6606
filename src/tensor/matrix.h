// A weight matrix as a linear layer uses it, wherever and however its file keeps it. Plain C++20.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace herd {

// Which index runs fastest in memory.
enum class Layout : std::uint8_t {
  out_in,  // one row per output: y = x W^T; what torch.nn.Linear keeps
  in_out,  // one row per input:  y = x W;   what Hugging Face's fused Llama 4 experts keep
  packed,  // blocks of 16 outputs x 256 inputs, interleaved for vector units: kernels/packed.h
};

// y[out] = scale[out] * sum over in of x[in] * w(out, in). Not owned.
struct Matrix {
  const void* data = nullptr;
  DType dtype = DType::f32;
  Layout layout = Layout::out_in;
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t stride = 0;       // elements from one stored row to the next; packed: none
  const float* scale = nullptr;  // [out], or null for 1 (FP8 checkpoints have one scale per output)
};

}  // namespace herd
