// Where products may round their inputs to bfloat16 (Lane::bfloat16), for the time that one of these lives. A training
// decides for the whole model at once, so these change nothing while gradients are wanted.
#pragma once

#include "ops/context.h"

namespace herd {

class Rounding {
 public:
  Rounding(Context& ctx, bool rounds) : ctx_(ctx), before_(ctx.lane.bfloat16) {
    if (ctx.tape == nullptr && !ctx.recomputes) ctx.lane.bfloat16 = rounds;
  }
  Rounding(const Rounding&) = delete;
  Rounding& operator=(const Rounding&) = delete;
  ~Rounding() { ctx_.lane.bfloat16 = before_; }

 private:
  Context& ctx_;
  bool before_;
};

}  // namespace herd
