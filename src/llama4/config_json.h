// A configuration as the files that Hugging Face publishes with a model: the inverse of config.h's readers.
#pragma once

#include "base/json.h"
#include "llama4/config.h"

namespace herd::llama4 {

// config.json in the spelling of transformers 4.51, which later ones read too: Llama4ForConditionalGeneration with
// text_config and vision_config, or Llama4ForCausalLM where there is no vision. Reading it again gives an equal
// configuration.
json::object config_to_hugging_face(const Config& config);

// generation_config.json: the special tokens, and the sampling that the released models recommend.
json::object generation_to_hugging_face(const Config& config);

}  // namespace herd::llama4
