#include "kernels/ref/ref.h"
#include "tensor/float_bits.h"

namespace herd::ref {
namespace {

// w(o, i): the weight from input i to output o, wherever the layout puts it.
double weight_at(const Matrix& w, std::int64_t o, std::int64_t i) {
  const std::int64_t index = w.layout == Layout::out_in ? o * w.stride + i : i * w.stride + o;
  return element_as_f32(w.data, w.dtype, index);
}

void multiply(const MatmulArgs& args, const MatmulGroup& group) {
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
