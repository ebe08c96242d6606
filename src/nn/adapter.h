// What is learned beside a frozen matrix (LoRA, Hu et al. 2021): y = x W^T + scale (x A^T) B^T, A and B
// being thin. It costs rank * (in + out) numbers, and the matrix may lie in a file and in any weight type.
//   r rank
#pragma once

#include <vector>

#include "ops/elementwise.h"
#include "ops/matmul.h"

namespace herd::nn {

// Of one matrix, or of each expert's. Without a rank until somebody gives it one (llama4/adapter.h).
struct Adapter {
  std::vector<Matrix> a;  // [1 or E] (r, in)
  std::vector<Matrix> b;  // [1 or E] (out, r)
  float scale = 0;

  Adapter() = default;
  Adapter(std::int64_t in, std::int64_t out, std::int64_t count = 1)
      : a(static_cast<std::size_t>(count), {.out = 0, .in = in, .stride = in}),
        b(static_cast<std::size_t>(count), {.out = out, .in = 0, .stride = 0}) {}

  [[nodiscard]] std::int64_t rank() const { return a.empty() ? 0 : a.front().out; }
  [[nodiscard]] explicit operator bool() const { return rank() > 0; }

  // y with what the adapter adds to it.   x [T, in], y [T, out] -> [T, out]
  [[nodiscard]] Tensor add_to(Context& ctx, const Tensor& y, const Tensor& x) const {
    if (!*this) return y;
    return add(ctx, y, matmul(ctx, scaled(ctx, matmul(ctx, x, a.front())), b.front()));
  }
  // The same for rows sorted by expert, [begin_e, begin_{e+1}) being those of expert e.
  [[nodiscard]] Tensor add_to(Context& ctx, const Tensor& y, const Tensor& x,
                              std::span<const std::int64_t> begin) const {
    if (!*this) return y;
    const Tensor inner = scaled(ctx, matmul_by_expert(ctx, x, a, {}, begin));
    return add(ctx, y, matmul_by_expert(ctx, inner, b, {}, begin));
  }

 private:
  [[nodiscard]] Tensor scaled(Context& ctx, const Tensor& x) const {
    const std::span factor = ctx.array<float>(x.rows());
    for (float& number : factor) number = scale;
    return scale_rows(ctx, x, factor);
  }
};

}  // namespace herd::nn
