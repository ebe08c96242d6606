#include <cstddef>
#include <vector>

#include "kernels/packed.h"
#include "kernels/ref/ref.h"
#include "quant/formats.h"

namespace herd::ref {
namespace {

// The weights from every input to output o, wherever the layout and the blocks put them.
class Column {
 public:
  explicit Column(const Matrix& w) : w_(w), weights_(static_cast<std::size_t>(w.in)) {
    if (w.layout == Layout::in_out && is_quantized(w.dtype)) decode_all();
  }

  const std::vector<float>& operator()(std::int64_t o) {
    if (w_.layout == Layout::out_in) {
      decode(o * w_.stride, w_.in, weights_.data());
      return weights_;
    }
    for (std::int64_t i = 0; i < w_.in; ++i) {
      float& weight = weights_[static_cast<std::size_t>(i)];
      if (all_.empty())
        decode(i * w_.stride + o, 1, &weight);
      else
        weight = all_[static_cast<std::size_t>(i * w_.out + o)];
    }
    return weights_;
  }

 private:
  void decode(std::int64_t index, std::int64_t count, float* to) const {
    const auto* from = static_cast<const std::byte*>(w_.data) + bytes_of(w_.dtype, index);
    quant::decode_row(w_.dtype, from, to, count);
  }
  // One number of a block cannot be read alone.
  void decode_all() {
    all_.resize(static_cast<std::size_t>(w_.in * w_.out));
    for (std::int64_t i = 0; i < w_.in; ++i)
      decode(i * w_.stride, w_.out, &all_[static_cast<std::size_t>(i * w_.out)]);
  }

  const Matrix& w_;
  std::vector<float> weights_, all_;
};

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
  if (group.row_begin >= group.row_end) return;
  Column column(w);
  for (std::int64_t o = 0; o < w.out; ++o) {
    const std::vector<float>& weights = column(o);
    for (std::int64_t t = group.row_begin; t < group.row_end; ++t) {
      const float* x = args.x + t * args.x_stride;
      double sum = 0;
      for (std::int64_t i = 0; i < w.in; ++i)
        sum += double{x[i]} * weights[static_cast<std::size_t>(i)];
      if (w.scale != nullptr) sum *= double{w.scale[o]};
      if (group.bias != nullptr) sum += double{group.bias[o]};
      args.y[t * args.y_stride + group.y_column + o] = static_cast<float>(sum);
    }
  }
}

}  // namespace

void matmul(const MatmulArgs& args, const Lane&) {
  for (std::int64_t g = 0; g < args.num_groups; ++g) multiply(args, args.groups[g]);
}

}  // namespace herd::ref
