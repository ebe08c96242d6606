// What is learned beside a frozen matrix (LoRA, Hu et al. 2021): y = x W^T + scale (x A^T) B^T, A and B
// being thin. It costs rank * (in + out) numbers, and the matrix may lie in a file and in any weight type.
//
// A layer has an adapter of its own, which all rows go through: one that is being learned, or one the model was opened
// with. Rows may bring others (RowAdapters), so that many adapters of one model are served in one batch: each row's
// numbers are bit for bit those of a model that has the row's adapter as its own.
//   r rank, T rows of the batch, R routed rows
#pragma once

#include <unordered_map>
#include <vector>

#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/route.h"

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
  // Whether any row of this forward pass gets something here.
  [[nodiscard]] bool adds(const Context& ctx) const;

  // y with what the adapter adds to it, and what rows' own add at this place.   x [T, in], y [T, out] -> [T, out]
  [[nodiscard]] Tensor add_to(Context& ctx, const Tensor& y, const Tensor& x) const;
  // The same for rows sorted by expert.   x [R, in], y [R, out] -> [R, out]
  [[nodiscard]] Tensor add_to(Context& ctx, const Tensor& y, const Tensor& x,
                              const Routes& routes) const;

  // What it adds alone.   x [T, in] -> [T, out]; with `begin` [E+1] the rows are sorted by expert
  [[nodiscard]] Tensor sum(Context& ctx, const Tensor& x) const;
  [[nodiscard]] Tensor sum(Context& ctx, const Tensor& x,
                           std::span<const std::int64_t> begin) const;

 private:
  [[nodiscard]] Tensor scaled(Context& ctx, const Tensor& x) const;
};

// Adapters for places of one model, by the layers' own ones, which stay as they are.
using AdapterSet = std::unordered_map<const Adapter*, Adapter>;

// Which rows of a batch bring which adapters. Whoever runs a batch lets the context see it meanwhile (Use).
class RowAdapters {
 public:
  // The next `count` rows bring `set`, which must outlive the batch, or null for none.
  void add(const AdapterSet* set, std::int64_t count);

  // Adds to y what rows bring for `place`.   x [T, in], y [T, out]
  void add_to(Context& ctx, const Adapter& place, const Tensor& y, const Tensor& x) const;
  void add_to(Context& ctx, const Adapter& place, const Tensor& y, const Tensor& x,
              const Routes& routes) const;
  [[nodiscard]] bool any_at(const Adapter& place) const;

  // While it lives, layers that run in `ctx` ask these; where no row brings any, they need not.
  class Use {
   public:
    Use(Context& ctx, const RowAdapters& rows) : ctx_(ctx) {
      ctx.row_adapters = rows.sets_.empty() ? nullptr : &rows;
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { ctx_.row_adapters = nullptr; }

   private:
    Context& ctx_;
  };

 private:
  std::vector<const AdapterSet*> set_T_;  // of each row, null for none
  std::vector<const AdapterSet*> sets_;   // each of them once
};

}  // namespace herd::nn
