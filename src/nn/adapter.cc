#include "nn/adapter.h"

#include <algorithm>

namespace herd::nn {
namespace {

// y [T, out] with the rows of delta [n, out] added to those that `row` names. In place: y is a product's result, which
// nobody else has seen, and nothing is recorded.
void add_rows(const Tensor& y, const Tensor& delta, std::span<const std::int32_t> row) {
  const std::int64_t width = y.shape[1];
  for (std::size_t i = 0; i < row.size(); ++i) {
    float* to = y.as<float>().data() + row[i] * width;
    const float* from = delta.as<float>().data() + static_cast<std::int64_t>(i) * width;
    for (std::int64_t o = 0; o < width; ++o) to[o] += from[o];
  }
}

const Adapter* at(const AdapterSet& set, const Adapter& place) {
  const auto found = set.find(&place);
  return found == set.end() ? nullptr : &found->second;
}

// Those rows of x, or x where they are all of it.
Tensor rows_of(Context& ctx, const Tensor& x, std::span<const std::int32_t> row) {
  return std::ssize(row) == x.rows() ? x : gather_rows(ctx, x, row);
}

}  // namespace

bool Adapter::adds(const Context& ctx) const {
  return *this || (ctx.row_adapters != nullptr && ctx.row_adapters->any_at(*this));
}

Tensor Adapter::add_to(Context& ctx, const Tensor& y, const Tensor& x) const {
  const Tensor own = *this ? add(ctx, y, sum(ctx, x)) : y;
  if (ctx.row_adapters != nullptr) ctx.row_adapters->add_to(ctx, *this, own, x);
  return own;
}

Tensor Adapter::add_to(Context& ctx, const Tensor& y, const Tensor& x, const Routes& routes) const {
  const Tensor own = *this ? add(ctx, y, sum(ctx, x, routes.begin)) : y;
  if (ctx.row_adapters != nullptr) ctx.row_adapters->add_to(ctx, *this, own, x, routes);
  return own;
}

Tensor Adapter::sum(Context& ctx, const Tensor& x) const {
  return matmul(ctx, scaled(ctx, matmul(ctx, x, a.front())), b.front());
}

Tensor Adapter::sum(Context& ctx, const Tensor& x, std::span<const std::int64_t> begin) const {
  const Tensor inner = scaled(ctx, matmul_by_expert(ctx, x, a, {}, begin));
  return matmul_by_expert(ctx, inner, b, {}, begin);
}

Tensor Adapter::scaled(Context& ctx, const Tensor& x) const {
  const std::span factor = ctx.array<float>(x.rows());
  for (float& number : factor) number = scale;
  return scale_rows(ctx, x, factor);
}

void RowAdapters::add(const AdapterSet* set, std::int64_t count) {
  set_T_.insert(set_T_.end(), static_cast<std::size_t>(count), set);
  if (set != nullptr && std::ranges::find(sets_, set) == sets_.end()) sets_.push_back(set);
}

bool RowAdapters::any_at(const Adapter& place) const {
  return std::ranges::any_of(sets_, [&](const AdapterSet* set) { return set->contains(&place); });
}

void RowAdapters::add_to(Context& ctx, const Adapter& place, const Tensor& y,
                         const Tensor& x) const {
  for (const AdapterSet* set : sets_) {
    const Adapter* adapter = at(*set, place);
    if (adapter == nullptr) continue;
    const Scratch scratch(ctx);
    std::vector<std::int32_t> row;
    for (std::size_t t = 0; t < set_T_.size(); ++t)
      if (set_T_[t] == set) row.push_back(static_cast<std::int32_t>(t));
    add_rows(y, adapter->sum(ctx, rows_of(ctx, x, row)), row);
  }
}

void RowAdapters::add_to(Context& ctx, const Adapter& place, const Tensor& y, const Tensor& x,
                         const Routes& routes) const {
  for (const AdapterSet* set : sets_) {
    const Adapter* adapter = at(*set, place);
    if (adapter == nullptr) continue;
    const Scratch scratch(ctx);
    std::vector<std::int32_t> row;
    std::vector<std::int64_t> begin{0};
    for (std::size_t e = 0; e + 1 < routes.begin.size(); ++e) {
      for (std::int64_t r = routes.begin[e]; r < routes.begin[e + 1]; ++r) {
        const auto token = static_cast<std::size_t>(routes.token_R[static_cast<std::size_t>(r)]);
        if (set_T_[token] == set) row.push_back(static_cast<std::int32_t>(r));
      }
      begin.push_back(std::ssize(row));
    }
    add_rows(y, adapter->sum(ctx, rows_of(ctx, x, row), begin), row);
  }
}

}  // namespace herd::nn
