// One pass of a model's vision encoder.
#pragma once

#include "llama4/model.h"

namespace herd::engine {

// pixels_BCSS [B, 3, S, S] -> [B * tokens_per_tile, width]. Keys and values in float32 mean that everything is to be
// exact (--precision f32); otherwise the encoder's blocks may round the inputs of bfloat16 weights to bfloat16 too, and
// with such weights or quantized ones attention's inputs, which some processors multiply twice as fast. A tile's bits
// do not depend on how many tiles there are.
inline Tensor look_at(const llama4::Model& model, Context& ctx, const Tensor& pixels_BCSS,
                      DType kv_dtype) {
  ctx.rounds_pictures = kv_dtype != DType::f32;
  return model.see(ctx, pixels_BCSS);
}

}  // namespace herd::engine
