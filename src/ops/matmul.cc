#include "ops/matmul.h"

#include <algorithm>
#include <vector>

#include "ops/elementwise.h"
#include "ops/expect.h"
#include "ops/tape.h"

namespace herd {
namespace {

// The matrix that takes dy to dx: the same numbers, inputs and outputs exchanged.
Matrix transposed(const Matrix& weight) {
  HERD_CHECK(weight.layout != Layout::packed, "no gradient goes back through packed weights of {}",
             row_of(weight.dtype).name);
  Matrix back = weight;
  back.scale = nullptr;  // of the outputs: times_scales() gives it to dy
  back.layout = weight.layout == Layout::out_in ? Layout::in_out : Layout::out_in;
  std::swap(back.in, back.out);
  return back;
}

// Matrices side by side in y that also lie one after the other in memory are one matrix.
bool continues(const MatmulGroup& left, const MatmulGroup& right) {
  const Matrix &a = left.weight, &b = right.weight;
  return a.dtype == DType::f32 && b.dtype == DType::f32 && a.layout == Layout::out_in &&
         b.layout == Layout::out_in && a.stride == b.stride && a.in == b.in &&
         left.row_begin == right.row_begin && left.y_column + a.out == right.y_column &&
         static_cast<const float*>(a.data) + a.out * a.stride == b.data;
}

std::vector<MatmulGroup> joined(std::span<const MatmulGroup> groups) {
  std::vector<MatmulGroup> out;
  for (const MatmulGroup& group : groups) {
    if (!out.empty() && continues(out.back(), group))
      out.back().weight.out += group.weight.out;
    else
      out.push_back(group);
  }
  return out;
}

// dy with its columns times the scales of the matrices that made them; dy itself where there are none.
Tensor times_scales(Context& ctx, const Tensor& dy, std::span<const MatmulGroup> groups) {
  if (std::ranges::none_of(groups, [](const auto& g) { return g.weight.scale != nullptr; }))
    return dy;
  const Tensor scaled = ctx.like(dy);
  copy(dy, scaled);
  for (const MatmulGroup& group : groups)
    for (std::int64_t t = group.row_begin; group.weight.scale && t < group.row_end; ++t) {
      float* row = scaled.as<float>().data() + t * dy.shape[1] + group.y_column;
      for (std::int64_t o = 0; o < group.weight.out; ++o) row[o] *= group.weight.scale[o];
    }
  return scaled;
}

// dx = dy W, summed over the matrices that a row goes through.
Tensor input_gradient(Context& ctx, const Tensor& x, const Tensor& dy_unscaled,
                      std::span<const MatmulGroup> forward) {
  const Tensor dy = times_scales(ctx, dy_unscaled, forward);
  std::vector<MatmulGroup> left = joined(forward);
  Tensor dx;
  while (!left.empty()) {
    // Matrices of one column of dy touch different rows: one call for those that read as many columns of it.
    const std::int64_t column = left.front().y_column, out = left.front().weight.out;
    std::vector<MatmulGroup> groups;
    std::vector<MatmulGroup> others;
    for (const MatmulGroup& group : left)
      (group.y_column == column && group.weight.out == out ? groups : others).push_back(group);
    left = std::move(others);
    for (MatmulGroup& group : groups) {
      group.weight = transposed(group.weight);
      group.bias = nullptr;
      group.y_column = 0;
    }
    const Tensor part = ctx.like(x);
    std::int64_t covered = 0;
    for (const MatmulGroup& group : groups) covered += group.row_end - group.row_begin;
    // Where some experts' pairs are joined and others' are not, the second call touches the latter's rows alone.
    if (covered < x.shape[0]) std::ranges::fill(part.as<float>(), 0.0f);
    ctx.kernels.matmul({.x = dy.as<float>().data() + column,
                        .x_stride = dy.shape[1],
                        .y = part.as<float>().data(),
                        .y_stride = x.shape[1],
                        .groups = groups.data(),
                        .num_groups = static_cast<std::int64_t>(groups.size())},
                       ctx.lane);
    dx = dx ? add(ctx, dx, part) : part;
  }
  return dx;
}

// dW += dy^T x for the matrices that are learned.
void weight_gradients(Context& ctx, Tape& tape, const Tensor& x, const Tensor& dy,
                      std::span<const MatmulGroup> forward) {
  std::vector<WeightGradGroup> groups;
  for (const MatmulGroup& group : forward) {
    float* dw = tape.leaf(group.weight.data);
    if (dw == nullptr) continue;
    HERD_CHECK(group.weight.layout == Layout::out_in, "learned matrices have a row per output");
    groups.push_back({.dw = dw,
                      .db = tape.leaf(group.bias),
                      .out = group.weight.out,
                      .in = group.weight.in,
                      .stride = group.weight.stride,
                      .row_begin = group.row_begin,
                      .row_end = group.row_end,
                      .dy_column = group.y_column});
  }
  if (groups.empty()) return;
  ctx.kernels.weight_grad({.x = x.as<float>().data(),
                           .x_stride = x.shape[1],
                           .dy = dy.as<float>().data(),
                           .dy_stride = dy.shape[1],
                           .groups = groups.data(),
                           .num_groups = static_cast<std::int64_t>(groups.size())},
                          ctx.lane);
}

bool any_learned(const Tape& tape, std::span<const MatmulGroup> groups) {
  return std::ranges::any_of(
      groups, [&](const MatmulGroup& group) { return tape.leaf(group.weight.data) != nullptr; });
}

Tensor run(Context& ctx, const Tensor& x, std::int64_t out, std::span<const MatmulGroup> groups) {
  const std::int64_t rows = x.shape[0];
  if (ctx.watch_products) ctx.watch_products(x, groups);
  Tensor y = ctx.empty({rows, out});
  ctx.kernels.matmul({.x = x.as<float>().data(),
                      .x_stride = x.shape[1],
                      .y = y.as<float>().data(),
                      .y_stride = out,
                      .groups = groups.data(),
                      .num_groups = static_cast<std::int64_t>(groups.size())},
                     ctx.lane);
  if (ctx.tape == nullptr) return y;
  if (any_learned(*ctx.tape, groups)) ctx.tape->reach(y);
  ctx.tape->record(y, {x.data, y.data},
                   [&ctx, tape = ctx.tape, x,
                    forward = std::vector(groups.begin(), groups.end())](const Tensor& dy) {
                     weight_gradients(ctx, *tape, x, dy, forward);
                     if (tape->wants(x.data)) tape->give(x, input_gradient(ctx, x, dy, forward));
                   });
  return y;
}

}  // namespace

Tensor matmul(Context& ctx, const Tensor& x_TI, const Matrix& weight, const Tensor& bias) {
  Dim T{"T"}, I{"in", weight.in}, O{"out", weight.out};
  expect(x_TI, {T, I});
  if (bias) expect(bias, {O});
  const MatmulGroup group{.weight = weight,
                          .bias = bias ? bias.as<float>().data() : nullptr,
                          .row_begin = 0,
                          .row_end = T.size(),
                          .y_column = 0};
  return run(ctx, x_TI, weight.out, {&group, 1});
}

Tensor matmul_side_by_side(Context& ctx, const Tensor& x_TI,
                           std::initializer_list<Matrix> weights) {
  std::vector<MatmulGroup> groups;
  std::int64_t out = 0;
  for (const Matrix& weight : weights) {
    Dim T{"T"}, I{"in", weight.in};
    expect(x_TI, {T, I});
    groups.push_back(
        {.weight = weight, .bias = nullptr, .row_begin = 0, .row_end = T.size(), .y_column = out});
    out += weight.out;
  }
  return run(ctx, x_TI, out, groups);
}

Tensor matmul_by_expert(Context& ctx, const Tensor& x_RI, std::span<const Matrix> first,
                        std::span<const Matrix> second, std::span<const std::int64_t> begin) {
  HERD_CHECK(begin.size() == first.size() + 1 && (second.empty() || second.size() == first.size()),
             "{} experts, {} bounds, {} second matrices", first.size(), begin.size(),
             second.size());
  Dim R{"R", begin.back()}, I{"in", first.front().in};
  expect(x_RI, {R, I});
  std::vector<MatmulGroup> groups;
  for (std::size_t expert = 0; expert < first.size(); ++expert) {
    if (begin[expert] == begin[expert + 1]) continue;
    MatmulGroup group{.weight = first[expert],
                      .bias = nullptr,
                      .row_begin = begin[expert],
                      .row_end = begin[expert + 1],
                      .y_column = 0};
    groups.push_back(group);
    if (second.empty()) continue;
    group.weight = second[expert];
    group.y_column = first[expert].out;
    groups.push_back(group);
  }
  const std::int64_t out = first.front().out + (second.empty() ? 0 : second.front().out);
  return run(ctx, x_RI, out, groups);
}

}  // namespace herd
