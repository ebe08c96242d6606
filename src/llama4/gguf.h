// Llama 4 as GGUF files hold it (spec/llama4.md 5.3 to 5.5): the configuration out of the metadata, the tensors under
// their canonical names. What the files do not say is what llama.cpp takes: chunks of 8192 tokens, every fourth layer
// without positions, the attention temperature, and no norm of queries and keys where there are 128 experts.
//
// Read beside the usual keys, where a file has them: llama4.use_qk_norm and llama4.attention.chunk_size (Ollama's), and
// the herd.* keys that `herd convert` writes for models that are not of the published shape (docs/gguf.md).
#pragma once

#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "checkpoint/store.h"
#include "llama4/config.h"
#include "llama4/meta.h"

namespace herd::llama4 {

// The metadata as a config.json would say it. Fails with gguf_key (a key is missing or of another type) and
// config_invalid (another architecture; RoPE divisors of no known rule).
Result<json::value> hugging_face_config_of_gguf(const checkpoint::Store& store);

// Fails with these, and with config_invalid as config_from_hugging_face does.
Result<Config> config_from_gguf(const checkpoint::Store& store);

// Every tensor of the files; fused experts become one matrix each, views all. Names unknown here are passed on.
std::vector<MergedTensor> tensors_of_gguf(const checkpoint::Store& store);

// What the frequency of each rotated pair is divided by: rope_freqs.weight.
std::vector<double> rope_divisors(const RopeScaling& rule, double theta, std::int64_t pairs);

// "layers.0.self_attn.q_proj.weight" -> "blk.0.attn_q.weight", "vision_model.class_embedding" -> "v.class_embd"; empty
// for names that GGUF does not have.
std::string gguf_name_of(std::string_view canonical);

}  // namespace herd::llama4
