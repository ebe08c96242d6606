#include <vector>

#include "kernels/packed.h"
#include "kernels/ref/ref.h"
#include "tensor/float_bits.h"

namespace herd::ref {
namespace {

// w(o, i): the weight from input i to output o, wherever the layout puts it.
double weight_at(const Matrix& w, std::int64_t o, std::int64_t i) {
  const std::int64_t index = w.layout == Layout::out_in ? o * w.stride + i : i * w.stride + o;
  return element_as_f32(w.data, w.dtype, index);
}

// Packed weights, one output after the other; what they mean, times x as it is: without the rounding of x to eight bits
// that the fast kernels do.
void multiply_packed(const MatmulArgs& args, const MatmulGroup& group) {
  const Matrix& w = group.weight;
  std::vector<float> weight(static_cast<std::size_t>(w.in));
  for (std::int64_t o = 0; o < w.out; ++o) {
    unpack_output(w, o, weight.data());
    for (std::int64_t t = group.row_begin; t < group.row_end; ++t) {
      const float* x = args.x + t * args.x_stride;
      double sum = 0;
      for (std::int64_t i = 0; i < w.in; ++i)
        sum += double{x[i]} * double{weight[static_cast<std::size_t>(i)]};
      if (w.scale != nullptr) sum *= double{w.scale[o]};
      if (group.bias != nullptr) sum += double{group.bias[o]};
      args.y[t * args.y_stride + group.y_column + o] = static_cast<float>(sum);
    }
  }
}

void multiply(const MatmulArgs& args, const MatmulGroup& group) {
  if (group.weight.layout == Layout::packed) return multiply_packed(args, group);
  const Matrix& w = group.weight;
  for (std::int64_t t = group.row_begin; t < group.row_end; ++t) {
    const float* x = args.x + t * args.x_stride;
    float* y = args.y + t * args.y_stride + group.y_column;
    for (std::int64_t o = 0; o < w.out; ++o) {
      double sum = 0;
      for (std::int64_t i = 0; i < w.in; ++i) sum += double{x[i]} * weight_at(w, o, i);
      if (w.scale != nullptr) sum *= double{w.scale[o]};
      if (group.bias != nullptr) sum += double{group.bias[o]};
      y[o] = static_cast<float>(sum);
    }
  }
}

}  // namespace

void matmul(const MatmulArgs& args, const Lane&) {
  for (std::int64_t g = 0; g < args.num_groups; ++g) multiply(args, args.groups[g]);
}

}  // namespace herd::ref
