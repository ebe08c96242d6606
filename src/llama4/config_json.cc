#include "llama4/config_json.h"

#include <algorithm>

namespace herd::llama4 {
namespace {

constexpr std::string_view library_version =
    "4.51.0";  // the first with Llama 4; which spelling to expect

json::value token_or_null(std::int32_t token) {
  return token < 0 ? json::value(nullptr) : json::value(token);
}

json::array moe_layers(const TextConfig& text) {
  json::array layers;
  for (std::size_t layer = 0; layer < text.is_moe.size(); ++layer)
    if (text.is_moe[layer]) layers.push_back(static_cast<std::int64_t>(layer));
  return layers;
}

// The step that describes is_moe; the list beside it decides where no step does.
std::int64_t moe_step(const TextConfig& text) {
  const auto first = std::ranges::find(text.is_moe, true);
  return first == text.is_moe.end() ? 1 : first - text.is_moe.begin() + 1;
}

json::value rope_scaling(const TextConfig& text) {
  if (!text.rope_scaling) return nullptr;
  const RopeScaling& scaling = *text.rope_scaling;
  return json::object{{"factor", scaling.factor},
                      {"high_freq_factor", scaling.high_frequency_factor},
                      {"low_freq_factor", scaling.low_frequency_factor},
                      {"original_max_position_embeddings", scaling.original_context},
                      {"rope_type", "llama3"}};
}

json::object text_config(const Config& config) {
  const TextConfig& text = config.text;
  json::array rotates;
  for (const bool flag : text.rotates) rotates.push_back(flag ? 1 : 0);
  json::array stops(config.stop_tokens.begin(), config.stop_tokens.end());
  // The width that no layer has is written as in the released files, where dense layers are twice as wide as experts;
  // a model without experts keeps its width under both names (Llama Guard 4).
  const std::int64_t expert = text.expert_width > 0 ? text.expert_width : text.dense_width;
  const std::int64_t dense = text.dense_width > 0 ? text.dense_width : 2 * text.expert_width;
  return {{"attention_bias", false},
          {"attention_chunk_size", text.chunk > 0 ? json::value(text.chunk) : json::value(nullptr)},
          {"attention_dropout", 0.0},
          {"attn_scale", text.temperature_scale},
          {"attn_temperature_tuning", text.tempers},
          {"bos_token_id", token_or_null(config.bos_token)},
          {"eos_token_id", std::move(stops)},
          {"floor_scale", text.temperature_floor},
          {"for_llm_compressor", false},
          {"head_dim", text.head_size},
          {"hidden_act", "silu"},
          {"hidden_size", text.width},
          {"initializer_range", 0.02},
          {"interleave_moe_layer_step", moe_step(text)},
          {"intermediate_size", expert},
          {"intermediate_size_mlp", dense},
          {"max_position_embeddings", text.context},
          {"model_type", "llama4_text"},
          {"moe_layers", moe_layers(text)},
          {"no_rope_layers", std::move(rotates)},
          {"num_attention_heads", text.heads},
          {"num_experts_per_tok", text.experts_per_token},
          {"num_hidden_layers", text.layers},
          {"num_key_value_heads", text.key_value_heads},
          {"num_local_experts", text.experts},
          {"output_router_logits", false},
          {"pad_token_id", token_or_null(config.pad_token)},
          {"rms_norm_eps", text.norm_eps},
          {"rope_scaling", rope_scaling(text)},
          {"rope_theta", text.rope_theta},
          {"router_aux_loss_coef", 0.001},
          {"router_jitter_noise", 0.0},
          {"tie_word_embeddings", text.ties_embeddings},
          {"torch_dtype", config.torch_dtype},
          {"use_cache", true},
          {"use_qk_norm", text.normalizes_qk},
          {"vocab_size", text.vocabulary}};
}

json::object vision_config(const VisionConfig& vision) {
  return {{"attention_dropout", 0.0},
          {"hidden_act", "gelu"},
          {"hidden_size", vision.width},
          {"image_size", vision.image_size},
          {"initializer_range", 0.02},
          {"intermediate_size", vision.inner_width},
          {"model_type", "llama4_vision_model"},
          {"multi_modal_projector_bias", false},
          {"norm_eps", vision.norm_eps},
          {"num_attention_heads", vision.heads},
          {"num_channels", vision.channels},
          {"num_hidden_layers", vision.layers},
          {"patch_size", vision.patch_size},
          {"pixel_shuffle_ratio", vision.pixel_shuffle_ratio},
          {"projector_dropout", 0.0},
          {"projector_input_dim", vision.projector_input},
          {"projector_output_dim", vision.projector_output},
          {"rope_theta", vision.rope_theta},
          {"vision_feature_layer", -1},
          {"vision_feature_select_strategy", "default"},
          {"vision_output_dim", vision.projector_output}};
}

}  // namespace

json::object config_to_hugging_face(const Config& config) {
  if (!config.vision) {
    json::object out = text_config(config);
    out["architectures"] = json::array{"Llama4ForCausalLM"};
    out["transformers_version"] = library_version;
    return out;
  }
  return {{"architectures", json::array{"Llama4ForConditionalGeneration"}},
          {"boi_token_index", config.image_start_token},
          {"eoi_token_index", config.image_end_token},
          {"image_token_index", config.image_token},
          {"model_type", "llama4"},
          {"text_config", text_config(config)},
          {"tie_word_embeddings", config.text.ties_embeddings},
          {"torch_dtype", config.torch_dtype},
          {"transformers_version", library_version},
          {"vision_config", vision_config(*config.vision)}};
}

json::object generation_to_hugging_face(const Config& config) {
  return {{"bos_token_id", token_or_null(config.bos_token)},
          {"do_sample", true},
          {"eos_token_id", json::array(config.stop_tokens.begin(), config.stop_tokens.end())},
          {"pad_token_id", token_or_null(config.pad_token)},
          {"temperature", 0.6},
          {"top_p", 0.9},
          {"transformers_version", library_version}};
}

}  // namespace herd::llama4
