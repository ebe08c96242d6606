// A model as a Hugging Face directory: its weights in bf16, FP8, int4 or float32, what adapters add to them included,
// and all that stands beside them.
#pragma once

#include "base/file.h"
#include "llama4/model.h"

namespace herd::train {

// Writes model.safetensors and config.json into `out`, over what may be there, and with them the tokenizer, chat
// template, preprocessing and generation settings of `from`, the directory or GGUF file that the model or its shape
// came from, where it has them. transformers loads the result. No router may have a selection bias in use.
// dtype is bf16, f32, or one of those that experts alone get, a matrix each as compressed-tensors has them, all else in
// bf16: f8_e4m3, routed experts in FP8 with a scale an output; int4, routed and shared experts in groups of 128.
// Fails with cannot_create or io_failed, with usage where int4 does not go into the experts' rows, or as
// engine::write_word_files does.
Result<void> export_model(llama4::Model& model, DType dtype, const fs::path& from,
                          const fs::path& out);

}  // namespace herd::train
