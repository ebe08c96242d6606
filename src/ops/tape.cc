#include "ops/tape.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "ops/elementwise.h"

namespace herd {
namespace {

void release(Context& ctx, const Tensor& x) {
  ctx.arena.release(x.data, static_cast<std::size_t>(x.elements()) * row_of(x.dtype).bytes);
}

}  // namespace

void Tape::record(const Tensor& y, std::initializer_list<const void*> inputs, Back back) {
  if (std::ranges::none_of(inputs, [&](const void* input) { return wants(input); })) return;
  wanted_.insert(y.data);
  entries_.push_back({y, std::move(back)});
}

bool Tape::wants(const void* value) const {
  return value != nullptr && (wanted_.contains(value) || leaves_->contains(value));
}

float* Tape::leaf(const void* parameter) const {
  const auto found = leaves_->find(parameter);
  return found == leaves_->end() ? nullptr : found->second;
}

Tensor Tape::gradient(const Tensor& value) const {
  const auto found = gradients_.find(value.data);
  return found == gradients_.end() ? Tensor{} : found->second.d.view(value.shape);
}

void Tape::contribute(const Tensor& x, const Tensor& dx, bool owned) {
  HERD_CHECK(x.elements() == dx.elements(), "a gradient of {} for {}", dx.shape.text(),
             x.shape.text());
  if (!wants(x.data)) return;
  const auto [at, first] = gradients_.try_emplace(x.data, Gradient{dx, owned});
  if (first) {
    ++users_[dx.data];
    return;
  }
  Gradient& sum = at->second;
  const Tensor to = sum.owned ? sum.d : ctx_->like(sum.d);
  ctx_->kernels.add({.a = sum.d.as<float>().data(),
                     .b = dx.as<float>().data(),
                     .y = to.as<float>().data(),
                     .count = dx.elements()},
                    ctx_->lane);
  if (!sum.owned) {
    unuse(sum);
    ++users_[to.data];
  }
  sum = {to, true};
  if (owned && !users_.contains(dx.data)) release(*ctx_, dx);
}

// One user of its memory less. Lent memory is left alone: a lender outside the tape is not counted.
void Tape::unuse(const Gradient& gradient) {
  const auto users = users_.find(gradient.d.data);
  if (--users->second > 0) return;
  users_.erase(users);
  if (gradient.owned) release(*ctx_, gradient.d);
}

// The gradient of y has gone where it had to.
void Tape::finish(const Tensor& y) {
  const auto at = gradients_.find(y.data);
  if (kept_.contains(y.data)) return;
  unuse(at->second);
  gradients_.erase(at);
}

void Tape::backward() {
  // Ops that are used by the way back must not be recorded.
  Tape* const before = std::exchange(ctx_->tape, nullptr);
  for (const Entry& entry : std::views::reverse(entries_)) {
    const Tensor dy = gradient(entry.y);
    if (!dy) continue;
    entry.back(dy);
    finish(entry.y);
  }
  ctx_->tape = before;
}

Tensor recompute(Context& ctx, const Tensor& x, const std::function<Tensor(const Tensor&)>& call) {
  if (ctx.tape == nullptr) {
    const Scratch scratch(ctx);
    copy(call(x), x);
    return x;
  }
  if (!ctx.recomputes) return call(x);
  Tape* const tape = std::exchange(ctx.tape, nullptr);
  const Tensor y = ctx.like(x);
  {
    const Scratch scratch(ctx);
    copy(call(x), y);
  }
  ctx.tape = tape;
  tape->want(y);  // it holds parameters, whatever x is
  tape->record(y, {y.data}, [&ctx, tape, x, call](const Tensor& dy) {
    const Tensor dx = ctx.like(x);
    bool reached = false;
    {
      const Scratch scratch(ctx);
      Tape inner = tape->inside();
      inner.want(x);
      ctx.tape = &inner;
      ctx.recomputing = true;
      inner.share(call(x), dy);
      ctx.recomputing = false;
      ctx.tape = nullptr;
      inner.backward();
      if (const Tensor found = inner.gradient(x)) {
        copy(found, dx);
        reached = true;
      }
    }
    if (reached) tape->give(x, dx);
  });
  return y;
}

}  // namespace herd
