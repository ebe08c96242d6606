// Random matrix products: several groups of different types, layouts and row ranges, some of them empty.
#pragma once

#include <fmt/format.h>

#include <algorithm>

#include "kernels/testing/cases.h"

namespace herd::test {

// A matrix of random weights, finite, at any address.
class RandomMatrix {
 public:
  RandomMatrix(Draw& draw, DType dtype, Layout layout, std::int64_t out, std::int64_t in,
               bool scaled)
      : dtype_(dtype), layout_(layout), out_(out), in_(in) {
    const std::int64_t rows = layout == Layout::out_in ? out : in;
    const std::int64_t width = layout == Layout::out_in ? in : out;
    stride_ = width + (draw.one_in(3) ? draw.between(1, 20) : 0);
    const std::int64_t count = rows == 0 ? 0 : (rows - 1) * stride_ + width;
    for (std::int64_t i = 0; i < count; ++i) append_weight(draw, dtype, encoded_);
    bytes_ = Input<std::uint8_t>(draw, static_cast<std::int64_t>(encoded_.size()),
                                 [&, i = std::size_t{0}]() mutable { return encoded_[i++]; });
    if (scaled) scale_ = Input<float>::floats(draw, out);
  }

  [[nodiscard]] Matrix matrix() const {
    return {bytes_.data(),
            dtype_,
            layout_,
            out_,
            in_,
            stride_,
            scale_.size() > 0 ? scale_.data() : nullptr};
  }
  // The same matrix without signs.
  [[nodiscard]] RandomMatrix magnitudes() const {
    RandomMatrix copy = *this;
    const auto bytes = static_cast<std::int64_t>(row_of(dtype_).bytes);
    for (std::int64_t i = bytes - 1; i < copy.bytes_.size(); i += bytes)
      copy.bytes_.data()[i] &= 0x7f;
    copy.scale_ = scale_.magnitudes();
    return copy;
  }

 private:
  DType dtype_;
  Layout layout_;
  std::int64_t out_, in_, stride_ = 0;
  std::vector<std::uint8_t> encoded_;
  Input<std::uint8_t> bytes_;
  Input<float> scale_;
};

struct MatmulSizes {
  std::int64_t groups = 1, rows_max = 40, in = 64, out_max = 64;
};

class MatmulCase : public KernelCase {
 public:
  MatmulCase(Draw& draw, const MatmulSizes& sizes) : in_(sizes.in) {
    constexpr DType dtypes[]{DType::f32, DType::bf16, DType::f16, DType::f8_e4m3};
    for (std::int64_t g = 0; g < sizes.groups; ++g) {
      // Groups have their own rows (experts), or all rows and their own columns (q, k, v): here, both.
      const std::int64_t rows = draw.one_in(5) ? 0 : draw.between(1, sizes.rows_max);
      const std::int64_t out = draw.between(1, sizes.out_max);
      matrices_.emplace_back(draw, dtypes[draw.between(0, 3)],
                             draw.one_in(2) ? Layout::out_in : Layout::in_out, out, in_,
                             draw.one_in(2));
      biases_.push_back(draw.one_in(2) ? Input<float>::floats(draw, out) : Input<float>());
      groups_.push_back({.weight = {},
                         .bias = nullptr,
                         .row_begin = rows_,
                         .row_end = rows_ + rows,
                         .y_column = draw.one_in(2) ? 0 : draw.between(0, 9)});
      rows_ += rows;
      y_stride_ = std::max(y_stride_, groups_.back().y_column + out);
    }
    y_stride_ += draw.one_in(2) ? 0 : draw.between(1, 9);
    x_stride_ = in_ + (draw.one_in(2) ? 0 : draw.between(1, 9));
    offset_ = draw.between(0, 15);
    x_ = Input<float>::floats(draw, rows_ == 0 ? 0 : (rows_ - 1) * x_stride_ + in_);
  }

  std::vector<float> run(const KernelTable& table, const Lane& lane) override {
    return run_on(table, lane, x_, matrices_, biases_);
  }

  // A sum of n products, in any order, is off by at most about n roundings of the sum of their magnitudes.
  std::vector<double> tolerance(const std::vector<float>&) override {
    std::vector<RandomMatrix> matrices;
    std::vector<Input<float>> biases;
    for (const RandomMatrix& matrix : matrices_) matrices.push_back(matrix.magnitudes());
    for (const Input<float>& bias : biases_) biases.push_back(bias.magnitudes());
    const std::vector<float> sums = run_on(ref_kernels(), {}, x_.magnitudes(), matrices, biases);
    std::vector<double> bound;
    for (float sum : sums) bound.push_back(static_cast<double>(in_ + 4) * eps * double{sum});
    return bound;
  }

  std::string text() const override {
    std::string out = fmt::format("in {} x_stride {} y_stride {}", in_, x_stride_, y_stride_);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const Matrix w = matrices_[g].matrix();
      out += fmt::format(
          "; rows {}..{} of {} {} out {} stride {}{}{}", groups_[g].row_begin, groups_[g].row_end,
          row_of(w.dtype).name, w.layout == Layout::out_in ? "out_in" : "in_out", w.out, w.stride,
          w.scale != nullptr ? " scaled" : "", biases_[g].size() > 0 ? " biased" : "");
    }
    return out;
  }

 private:
  std::vector<float> run_on(const KernelTable& table, const Lane& lane, const Input<float>& x,
                            const std::vector<RandomMatrix>& matrices,
                            const std::vector<Input<float>>& biases) {
    Output y(offset_, rows_ * y_stride_);
    std::vector<MatmulGroup> groups = groups_;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      groups[g].weight = matrices[g].matrix();
      groups[g].bias = biases[g].size() > 0 ? biases[g].data() : nullptr;
    }
    table.matmul({.x = x.data(),
                  .x_stride = x_stride_,
                  .y = y.data(),
                  .y_stride = y_stride_,
                  .groups = groups.data(),
                  .num_groups = static_cast<std::int64_t>(groups.size())},
                 lane);
    return std::move(y).all();
  }

  std::int64_t in_, x_stride_ = 0, y_stride_ = 0, rows_ = 0, offset_ = 0;
  Input<float> x_;
  std::vector<RandomMatrix> matrices_;
  std::vector<Input<float>> biases_;
  std::vector<MatmulGroup> groups_;
};

inline std::unique_ptr<KernelCase> random_matmul(Draw& draw) {
  MatmulSizes sizes;
  switch (draw.between(0, 3)) {
    case 0:
      sizes = {draw.between(0, 6), 12, draw.between(1, 70), 150};
      break;
    case 1:
      sizes = {draw.between(1, 3), 70, draw.between(1, 200), 90};
      break;
    case 2:
      sizes = {1, 60, draw.between(500, 1100), 40};
      break;  // several blocks of k
    default:
      sizes = {1, 9, draw.between(1, 40), 2500};
      break;  // several blocks of outputs
  }
  return std::make_unique<MatmulCase>(draw, sizes);
}

}  // namespace herd::test
