#include "train/muon.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <utility>

#include "base/thread_pool.h"

namespace herd::train {
namespace {

constexpr int rounds = 5;
constexpr float one = 3.4445f, linear = -4.7750f, square = 2.0315f;  // a, b, c
constexpr double shortest = 1e-7;                                    // of a gradient's length
constexpr double step_size = 0.2;                                    // root mean square, as AdamW's

// Matrices of one shape, lying so that they have at least as many columns as rows: M matrices [m, n].
struct Stack {
  std::vector<const Parameter*> of;
  std::int64_t m = 0, n = 0;

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(of.size()); }
};

std::vector<Stack> stacks_of(const Parameters& parameters) {
  std::map<std::pair<std::int64_t, std::int64_t>, Stack> by_shape;
  for (const Parameter& parameter : parameters.list()) {
    if (!Muon::takes(parameter)) continue;
    const auto [m, n] = std::minmax({parameter.shape[0], parameter.shape[1]});
    Stack& stack = by_shape[{m, n}];
    stack.m = m;
    stack.n = n;
    stack.of.push_back(&parameter);
  }
  std::vector<Stack> out;
  for (auto& [shape, stack] : by_shape) out.push_back(std::move(stack));
  return out;
}

// to [columns, rows] = from [rows, columns] transposed, in squares that stay in the first-level cache.
void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to) {
  constexpr std::int64_t side = 16;
  for (std::int64_t r0 = 0; r0 < rows; r0 += side)
    for (std::int64_t c0 = 0; c0 < columns; c0 += side)
      for (std::int64_t r = r0; r < std::min(r0 + side, rows); ++r)
        for (std::int64_t c = c0; c < std::min(c0 + side, columns); ++c)
          to[c * rows + r] = from[r * columns + c];
}

// Momentum takes up the gradient; x [m, n] becomes what the step is made of, of length 1.
void gather(const Parameters& parameters, const Parameter& parameter, const MuonStep& step,
            std::span<float> room, float* x) {
  const std::span g = Parameters::part(parameters.gradients(), parameter);
  const std::span momentum = Parameters::part(parameters.first_moments(), parameter);
  const bool turns = parameter.shape[0] > parameter.shape[1];
  float* u = turns ? room.data() : x;
  double squares = 0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const float gradient = step.factor * g[i];
    momentum[i] += (1 - step.momentum) * (gradient - momentum[i]);
    u[i] = gradient + step.momentum * (momentum[i] - gradient);
    squares += double{u[i]} * double{u[i]};
    g[i] = 0;
  }
  const auto scale = static_cast<float>(1.0 / std::max(std::sqrt(squares), shortest));
  for (std::size_t i = 0; i < g.size(); ++i) u[i] *= scale;
  if (turns) transpose(u, parameter.shape[0], parameter.shape[1], x);
}

void apply(const Parameters& parameters, const Parameter& parameter, const MuonStep& step,
           std::span<float> room, const float* x) {
  const std::span w = Parameters::part(parameters.weights(), parameter);
  if (parameter.shape[0] > parameter.shape[1]) {
    transpose(x, parameter.shape[1], parameter.shape[0], room.data());
    x = room.data();
  }
  const auto longer = static_cast<double>(std::max(parameter.shape[0], parameter.shape[1]));
  const float rate = step.rate * static_cast<float>(step_size * std::sqrt(longer));
  for (std::size_t i = 0; i < w.size(); ++i) w[i] -= rate * x[i] + step.rate * step.decay * w[i];
}

// y_e = x_e times matrix e, for all matrices of a stack. x, y: [count * m, columns].
void multiply(Context& ctx, const Stack& stack, std::span<const float> x, std::int64_t x_columns,
              std::span<const float> matrix, Layout layout, std::int64_t columns,
              std::span<float> y, std::int64_t y_columns) {
  std::vector<MatmulGroup> groups;
  for (std::int64_t e = 0; e < stack.count(); ++e)
    groups.push_back({.weight = {.data = matrix.data() + e * stack.m * columns,
                                 .layout = layout,
                                 .out = y_columns,
                                 .in = x_columns,
                                 .stride = columns},
                      .row_begin = e * stack.m,
                      .row_end = (e + 1) * stack.m});
  ctx.kernels.matmul({.x = x.data(),
                      .x_stride = x_columns,
                      .y = y.data(),
                      .y_stride = y_columns,
                      .groups = groups.data(),
                      .num_groups = stack.count()},
                     ctx.lane);
}

void orthogonalize_and_apply(Context& ctx, const Parameters& parameters, const Stack& stack,
                             const MuonStep& step) {
  const Scratch scratch(ctx);
  ThreadPool& pool = *ctx.lane.pool;
  const std::int64_t m = stack.m, n = stack.n, each = m * n;
  const auto room = ctx.array<float>(pool.threads() * each);
  auto x = ctx.array<float>(stack.count() * each), next = ctx.array<float>(stack.count() * each);
  const std::int64_t squares = stack.count() * m * m;
  const auto a = ctx.array<float>(squares), b = ctx.array<float>(squares);
  const auto room_of = [&](int thread) {
    return room.subspan(static_cast<std::size_t>(thread * each), static_cast<std::size_t>(each));
  };

  pool.run(stack.count(), 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t e = begin; e < end; ++e)
      gather(parameters, *stack.of[static_cast<std::size_t>(e)], step, room_of(thread),
             x.data() + e * each);
  });
  for (int round = 0; round < rounds; ++round) {
    multiply(ctx, stack, x, n, x, Layout::out_in, n, a, m);  // A = X X^T
    multiply(ctx, stack, a, m, a, Layout::out_in, m, b, m);  // A A, as A is its own transpose
    pool.run(stack.count(), 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t e = begin; e < end; ++e) {
        const float* from = a.data() + e * m * m;
        float* to = b.data() + e * m * m;
        for (std::int64_t i = 0; i < m * m; ++i) to[i] = linear * from[i] + square * to[i];
        for (std::int64_t i = 0; i < m; ++i) to[i * (m + 1)] += one;
      }
    });
    multiply(ctx, stack, b, m, x, Layout::in_out, n, next, n);
    std::swap(x, next);
  }
  pool.run(stack.count(), 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t e = begin; e < end; ++e)
      apply(parameters, *stack.of[static_cast<std::size_t>(e)], step, room_of(thread),
            x.data() + e * each);
  });
}

}  // namespace

bool Muon::takes(const Parameter& parameter) {
  return (parameter.role == Role::hidden || parameter.role == Role::output) &&
         parameter.shape.rank() == 2;
}

void Muon::step(Context& ctx, const Parameters& parameters, const MuonStep& step) {
  for (const Stack& stack : stacks_of(parameters))
    orthogonalize_and_apply(ctx, parameters, stack, step);
}

}  // namespace herd::train
