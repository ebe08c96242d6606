// What an op did, so that gradients find their way back. An op that meets a tape records a function of its result's
// gradient; backward() calls them from the last to the first. No tape, no cost: serving runs the same ops.
//
// Values are known by where they lie. A view of another shape is the same value; memory that is written twice is not.
// Gradients of parameters are added to buffers of the caller; gradients of values are made on the way in the context's
// arena, and are given back to it once the op that made the value has seen them.
#pragma once

#include <functional>
#include <initializer_list>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tensor/tensor.h"

namespace herd {

class Context;

// Where each parameter's gradient is gathered: [the parameter's elements] float32, in the parameter's order.
using Leaves = std::unordered_map<const void*, float*>;

class Tape {
 public:
  // Called with the gradient of the result, in the result's shape.
  using Back = std::function<void(const Tensor& dy)>;

  // `leaves` must outlive the tape; parameters that are not among them are frozen.
  Tape(Context& ctx, const Leaves& leaves) : ctx_(&ctx), leaves_(&leaves) {}

  // y was computed from these; back() will be called only if somebody wants the gradient of one of them.
  void record(const Tensor& y, std::initializer_list<const void*> inputs, Back back);

  // Is a gradient of this value or parameter wanted?
  [[nodiscard]] bool wants(const void* value) const;
  // The parameter's buffer, or null where it is frozen (or no parameter).
  [[nodiscard]] float* leaf(const void* parameter) const;

  // A contribution to the gradient of value x. give() hands over memory that nobody else reads or writes; share() only
  // lends it, as an addition does to both its sides.
  void give(const Tensor& x, const Tensor& dx) { contribute(x, dx, true); }
  void share(const Tensor& x, const Tensor& dx) { contribute(x, dx, false); }

  // A value that was made with parameters, whatever else it was made of.
  void reach(const Tensor& value) { wanted_.insert(value.data); }
  // A value that gradients shall reach although no parameter leads to it; its gradient is kept.
  void want(const Tensor& value) {
    wanted_.insert(value.data);
    kept_.insert(value.data);
  }
  // What has arrived for a value; empty if nothing did, or if it went on to what the value was made of.
  [[nodiscard]] Tensor gradient(const Tensor& value) const;

  // An empty tape with the same parameters.
  [[nodiscard]] Tape inside() const { return {*ctx_, *leaves_}; }

  // Goes back through everything recorded. Gradients must have been given to at least one value.
  void backward();

 private:
  struct Entry {
    Tensor y;
    Back back;
  };
  // Where gradients lie: how many of them there, and whether the tape was given the memory or only lent it.
  struct Memory {
    int users = 0;
    bool owned = false;
  };
  void contribute(const Tensor& x, const Tensor& dx, bool owned);
  void finish(const Tensor& y);
  void unuse(const Tensor& d);

  Context* ctx_;
  const Leaves* leaves_;
  std::vector<Entry> entries_;
  std::unordered_set<const void*> wanted_, kept_;
  std::unordered_map<const void*, Tensor> gradients_;
  std::unordered_map<const void*, Memory> memory_;
};

// y = call(x), a large piece of the model whose inner values are not kept: going back, it is computed once more.
// Without a tape, the result is written over x and everything else that the call made is free again.
Tensor recompute(Context& ctx, const Tensor& x, const std::function<Tensor(const Tensor&)>& call);

}  // namespace herd
