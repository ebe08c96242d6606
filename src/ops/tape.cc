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
  return found == gradients_.end() ? Tensor{} : found->second.view(value.shape);
}

void Tape::contribute(const Tensor& x, const Tensor& dx, bool owned) {
  HERD_CHECK(x.elements() == dx.elements(), "a gradient of {} for {}", dx.shape.text(),
             x.shape.text());
  if (!wants(x.data)) return;
  const auto [at, first] = gradients_.try_emplace(x.data, dx);
  if (first) {
    ++memory_.try_emplace(dx.data, Memory{.owned = owned}).first->second.users;
    return;
  }
  Tensor& sum = at->second;
  const Memory& memory = memory_.at(sum.data);
  const bool alone = memory.owned && memory.users == 1;
  const Tensor to = alone ? sum : ctx_->like(sum);
  ctx_->kernels.add({.a = sum.as<float>().data(),
                     .b = dx.as<float>().data(),
                     .y = to.as<float>().data(),
                     .count = dx.elements()},
                    ctx_->lane);
  if (!alone) {
    unuse(sum);
    sum = to;
    memory_[to.data] = {.users = 1, .owned = true};
  }
  if (owned && !memory_.contains(dx.data)) release(*ctx_, dx);
}

// One user of its memory less. What was lent from outside the tape is left alone.
void Tape::unuse(const Tensor& d) {
  const auto at = memory_.find(d.data);
  if (--at->second.users > 0) return;
  const bool owned = at->second.owned;
  memory_.erase(at);
  if (owned) release(*ctx_, d);
}

// The gradient of y has gone where it had to.
void Tape::finish(const Tensor& y) {
  if (kept_.contains(y.data)) return;
  const auto at = gradients_.find(y.data);
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
  tape->reach(y);  // it holds parameters, whatever x is
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
