#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/limits.h"
#include "llama4/gguf.h"
#include "quant/formats.h"

namespace herd::llama4 {
namespace {

using checkpoint::GgufHeader;
using checkpoint::Store;
using checkpoint::StoredTensor;

// What llama.cpp takes for every file.
constexpr std::int64_t chunk_default = 8192;
constexpr std::int64_t nope_interval_default = 4;
constexpr std::int64_t experts_without_qk_norm = 128;
constexpr std::int64_t file_type_f32 = 0;

// Copies keys of one header into a JSON object, under other names.
class KeyReader {
 public:
  KeyReader(const GgufHeader& header, json::object& to) : header_(header), to_(to) {}

  Result<std::optional<std::int64_t>> integer(std::string_view key, std::string_view as) {
    HERD_TRY(const auto value, header_.integer(key));
    if (value) to_[as] = *value;
    return value;
  }
  Result<std::int64_t> required(std::string_view key, std::string_view as) {
    HERD_TRY(const auto value, integer(key, as));
    if (!value) return fail(Code::gguf_key, "key {} is missing", shown(key));
    return *value;
  }
  Result<void> number(std::string_view key, std::string_view as) {
    HERD_TRY(const auto value, header_.number(key));
    if (value) to_[as] = *value;
    return {};
  }
  Result<std::optional<bool>> boolean(std::string_view key, std::string_view as) {
    HERD_TRY(const auto value, header_.boolean(key));
    if (value) to_[as] = *value;
    return value;
  }
  Result<bool> integers(std::string_view key, std::string_view as) {
    HERD_TRY(const auto values, header_.integers(key));
    if (values) to_[as] = json::array(values->begin(), values->end());
    return values.has_value();
  }

 private:
  const GgufHeader& header_;
  json::object& to_;
};

json::object in_json(const RopeScaling& rule) {
  return {{"rope_type", "llama3"},
          {"factor", rule.factor},
          {"low_freq_factor", rule.low_frequency_factor},
          {"high_freq_factor", rule.high_frequency_factor},
          {"original_max_position_embeddings", rule.original_context}};
}

// Whether the rule divides every frequency as the file says.
bool gives(const RopeScaling& rule, double theta, const std::vector<float>& divisors) {
  const auto wanted = rope_divisors(rule, theta, static_cast<std::int64_t>(divisors.size()));
  for (std::size_t i = 0; i < divisors.size(); ++i)
    if (std::abs(double{divisors[i]} - wanted[i]) > 1e-4 * wanted[i]) return false;
  return true;
}

// The rule behind a table of divisors: those of the published models first, then one step from 1 to a factor wherever
// it lies.
Result<json::object> rule_of(const std::vector<float>& divisors, double theta) {
  constexpr std::int64_t original = 8192;
  for (const RopeScaling& rule : {RopeScaling{16, 1, 1, original}, RopeScaling{8, 1, 4, original},
                                  RopeScaling{32, 1, 4, original}})
    if (gives(rule, theta, divisors)) return in_json(rule);
  // One step: the context lies just below the first wavelength that is stretched.
  const auto first = static_cast<double>(
      std::ranges::find_if(divisors, [](float d) { return d != 1.0f; }) - divisors.begin());
  const double stretched =
      2.0 * std::numbers::pi * std::pow(theta, first / static_cast<double>(divisors.size()));
  if (stretched > 1 && stretched < 1e15) {
    const RopeScaling rule{
        *std::ranges::max_element(divisors), 1, 1,
        std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(stretched)) - 1)};
    if (gives(rule, theta, divisors)) return in_json(rule);
  }
  return fail(Code::config_invalid,
              "rope_freqs.weight divides the frequencies by no rule that is known (from {} to {})",
              divisors.front(), divisors.back());
}

Result<json::object> rope_parameters(const Store& store, const GgufHeader& header,
                                     std::int64_t head_size) {
  json::object rope{{"rope_type", "default"}};
  HERD_TRY(const auto theta, header.number("llama4.rope.freq_base"));
  const double base = theta.value_or(500000.0);
  HERD_TRY(const auto type, header.text("llama4.rope.scaling.type"));
  if (type && *type != "none")
    return fail(Code::config_invalid, "llama4.rope.scaling.type is {}, supported: none",
                shown(*type));
  HERD_TRY(const auto rotated, header.integer("llama4.rope.dimension_count"));
  if (rotated && *rotated != head_size)
    return fail(Code::config_invalid, "llama4.rope.dimension_count is {}, wanted all {} of a head",
                *rotated, head_size);
  KeyReader keys(header, rope);
  HERD_TRY_VOID(keys.number("herd.rope_scaling.factor", "factor"));
  if (rope.contains("factor")) {
    rope["rope_type"] = "llama3";
    HERD_TRY_VOID(keys.number("herd.rope_scaling.low_freq_factor", "low_freq_factor"));
    HERD_TRY_VOID(keys.number("herd.rope_scaling.high_freq_factor", "high_freq_factor"));
    HERD_TRY_VOID(keys.integer("herd.rope_scaling.original_context_length",
                               "original_max_position_embeddings"));
  } else if (const StoredTensor* table = store.find("rope_freqs.weight")) {
    if (table->dtype != DType::f32 || table->shape != Shape{head_size / 2})
      return fail(Code::tensor_mismatch, "rope_freqs.weight is {} of {}, wanted [{}] of f32",
                  table->shape.text(), row_of(table->dtype).name, head_size / 2);
    std::vector<float> divisors(static_cast<std::size_t>(head_size / 2));
    quant::decode_row(DType::f32, table->data, divisors.data(), head_size / 2);
    HERD_TRY(rope, rule_of(divisors, base));
  }
  rope["rope_theta"] = base;
  return rope;
}

// Which layers rotate, in chunks of what length.
Result<void> read_chunks(KeyReader& keys, const GgufHeader& header, json::object& text) {
  HERD_TRY(const auto window, header.integer("llama4.attention.sliding_window"));
  const bool full =
      window && *window == 0;  // as llama.cpp reads it: positions and full attention everywhere
  text["attention_chunk_size"] = full ? json::value(nullptr) : json::value(chunk_default);
  HERD_TRY(const auto chunk, keys.integer("llama4.attention.chunk_size", "attention_chunk_size"));
  if (chunk && *chunk == 0) text["attention_chunk_size"] = nullptr;
  HERD_TRY(const bool listed, keys.integers("herd.no_rope_layers", "no_rope_layers"));
  if (!listed)
    text["no_rope_layer_interval"] =
        full ? static_cast<std::int64_t>(limits::layers_max) : nope_interval_default;
  HERD_TRY_VOID(keys.boolean("herd.attention.temperature_tuning", "attn_temperature_tuning"));
  HERD_TRY_VOID(keys.integer("llama4.attention.temperature_length", "floor_scale"));
  HERD_TRY_VOID(keys.number("llama4.attention.temperature_scale", "attn_scale"));
  return {};
}

Result<void> read_tokens(const GgufHeader& header, json::object& text, json::object& root) {
  KeyReader keys(header, text);
  text["bos_token_id"] = -1;
  text["pad_token_id"] = -1;
  HERD_TRY_VOID(keys.integer("tokenizer.ggml.bos_token_id", "bos_token_id"));
  HERD_TRY_VOID(keys.integer("tokenizer.ggml.padding_token_id", "pad_token_id"));
  json::array stops;
  const auto add = [&](std::int64_t id) {
    if (std::ranges::find(stops, json::value(id)) == stops.end()) stops.emplace_back(id);
  };
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    HERD_TRY(const auto id, header.integer(key));
    if (id) add(*id);
  }
  HERD_TRY(const auto words, header.texts("tokenizer.ggml.tokens"));
  for (std::size_t id = 0; words && id < words->size(); ++id) {
    const std::string_view word = (*words)[id];
    if (!word.starts_with("<|")) continue;
    const auto number = static_cast<std::int64_t>(id);
    if (word == "<|end_of_text|>" || word == "<|eom|>" || word == "<|eot|>") add(number);
    if (word == "<|patch|>") root["image_token_index"] = number;
    if (word == "<|image_start|>") root["boi_token_index"] = number;
    if (word == "<|image_end|>") root["eoi_token_index"] = number;
  }
  KeyReader images(header, root);
  HERD_TRY_VOID(images.integer("herd.image_token_id", "image_token_index"));
  HERD_TRY_VOID(images.integer("herd.image_start_token_id", "boi_token_index"));
  HERD_TRY_VOID(images.integer("herd.image_end_token_id", "eoi_token_index"));
  if (!stops.empty()) text["eos_token_id"] = std::move(stops);
  if (words && !text.contains("vocab_size"))
    text["vocab_size"] = static_cast<std::int64_t>(words->size());
  return {};
}

// The vision encoder from its own file ("clip.vision.*") or, as Ollama writes it, from the model's ("llama4.vision.*").
Result<json::object> vision_config(const Store& store, const GgufHeader& header,
                                   std::string_view prefix) {
  json::object vision{{"model_type", "llama4_vision_model"}, {"hidden_act", "gelu"}};
  KeyReader keys(header, vision);
  const auto key = [&](std::string_view name) { return fmt::format("{}{}", prefix, name); };
  HERD_TRY_VOID(keys.required(key("embedding_length"), "hidden_size"));
  HERD_TRY_VOID(keys.required(key("feed_forward_length"), "intermediate_size"));
  HERD_TRY_VOID(keys.required(key("block_count"), "num_hidden_layers"));
  HERD_TRY_VOID(keys.required(key("attention.head_count"), "num_attention_heads"));
  HERD_TRY_VOID(keys.required(key("image_size"), "image_size"));
  HERD_TRY_VOID(keys.required(key("patch_size"), "patch_size"));
  HERD_TRY_VOID(keys.number(key("attention.layer_norm_epsilon"), "norm_eps"));
  HERD_TRY_VOID(keys.number(key("layer_norm_epsilon"), "norm_eps"));
  HERD_TRY_VOID(keys.number(key("rope.freq_base"), "rope_theta"));
  HERD_TRY_VOID(keys.number(key("pixel_shuffle_ratio"), "pixel_shuffle_ratio"));
  HERD_TRY(const auto fold, header.integer(key("projector.scale_factor")));
  if (fold && (*fold < 1 || *fold > 64))
    return fail(Code::config_invalid, "{} is {}, wanted 1 to 64", key("projector.scale_factor"),
                *fold);
  if (fold) vision["pixel_shuffle_ratio"] = 1.0 / static_cast<double>(*fold);
  // The adapter's widths are nowhere but in its matrices.
  for (const StoredTensor& tensor : store.tensors()) {
    const bool first =
        tensor.name == "mm.model.mlp.1.weight" || tensor.name == "v.vision_adapter.mlp.fc1.weight";
    const bool second =
        tensor.name == "mm.model.mlp.2.weight" || tensor.name == "v.vision_adapter.mlp.fc2.weight";
    if (first && tensor.shape.rank() > 0) vision["projector_input_dim"] = tensor.shape[0];
    if (second && tensor.shape.rank() > 0) vision["vision_output_dim"] = tensor.shape[0];
  }
  return vision;
}

Result<std::optional<json::object>> any_vision(const Store& store) {
  if (store.projector().empty()) {
    if (store.gguf().front().find("llama4.vision.block_count") == nullptr) return std::nullopt;
    return vision_config(store, store.gguf().front(), "llama4.vision.");
  }
  const GgufHeader& header = store.projector().front();
  HERD_TRY(auto type, header.text("clip.projector_type"));
  if (!type) {
    HERD_TRY(type, header.text("clip.vision.projector_type"));
  }
  if (!type || *type != "llama4")
    return fail(Code::config_invalid, "the projector's file is of type {}, wanted llama4",
                type ? shown(*type) : "none");
  return vision_config(store, header, "clip.vision.");
}

}  // namespace

std::vector<double> rope_divisors(const RopeScaling& rule, double theta, std::int64_t pairs) {
  const auto context = static_cast<double>(rule.original_context);
  const double low = rule.low_frequency_factor, high = rule.high_frequency_factor;
  std::vector<double> out;
  for (std::int64_t i = 0; i < pairs; ++i) {
    const double exponent = static_cast<double>(i) / static_cast<double>(pairs);
    const double wavelength = 2.0 * std::numbers::pi * std::pow(theta, exponent);
    if (wavelength > context / low) {
      out.push_back(rule.factor);
    } else if (wavelength >= context / high && high != low) {
      const double kept = (context / wavelength - low) / (high - low);
      out.push_back(1.0 / ((1.0 - kept) / rule.factor + kept));
    } else {
      out.push_back(1.0);
    }
  }
  return out;
}

Result<json::value> hugging_face_config_of_gguf(const Store& store) {
  const GgufHeader& header = store.gguf().front();
  HERD_TRY(const auto architecture, header.text("general.architecture"));
  HERD_TRY(const auto type, header.text("general.type"));
  if (!architecture && type == "imatrix")
    return fail(Code::config_invalid, "general.type is 'imatrix', wanted a model");
  if (!architecture) return fail(Code::gguf_key, "key 'general.architecture' is missing");
  if (*architecture == "clip")
    return fail_with_hint(Code::config_invalid,
                          "general.architecture is 'clip', wanted llama4: a vision encoder alone",
                          "give the text model's file, and this one as --mmproj");
  if (*architecture != "llama4")
    return fail(Code::config_invalid, "general.architecture is {}, wanted llama4",
                shown(*architecture));
  json::object root{{"model_type", "llama4"}},
      text{{"model_type", "llama4_text"}, {"hidden_act", "silu"}};
  KeyReader keys(header, text);
  HERD_TRY_VOID(keys.required("llama4.embedding_length", "hidden_size"));
  HERD_TRY(const std::int64_t layers, keys.required("llama4.block_count", "num_hidden_layers"));
  HERD_TRY(const std::int64_t heads,
           keys.required("llama4.attention.head_count", "num_attention_heads"));
  HERD_TRY_VOID(keys.integer("llama4.attention.head_count_kv", "num_key_value_heads"));
  HERD_TRY(auto head_size, keys.integer("llama4.attention.key_length", "head_dim"));
  if (!head_size && heads > 0) head_size = text["hidden_size"].as_int64() / heads;
  HERD_TRY(const auto value_size, header.integer("llama4.attention.value_length"));
  if (value_size && head_size && *value_size != *head_size)
    return fail(Code::config_invalid, "llama4.attention.value_length is {}, but key_length is {}",
                *value_size, *head_size);
  HERD_TRY_VOID(keys.integer("llama4.feed_forward_length", "intermediate_size_mlp"));
  HERD_TRY_VOID(keys.integer("llama4.expert_feed_forward_length", "intermediate_size"));
  text["num_local_experts"] = 0;
  HERD_TRY(const auto experts, keys.integer("llama4.expert_count", "num_local_experts"));
  HERD_TRY_VOID(keys.integer("llama4.expert_used_count", "num_experts_per_tok"));
  HERD_TRY_VOID(keys.integer("llama4.interleave_moe_layer_step", "interleave_moe_layer_step"));
  HERD_TRY_VOID(keys.integers("herd.moe_layers", "moe_layers"));
  HERD_TRY_VOID(keys.number("llama4.attention.layer_norm_rms_epsilon", "rms_norm_eps"));
  HERD_TRY_VOID(keys.integer("llama4.context_length", "max_position_embeddings"));
  HERD_TRY_VOID(keys.integer("llama4.vocab_size", "vocab_size"));
  text["use_qk_norm"] = experts.value_or(0) != experts_without_qk_norm;
  HERD_TRY_VOID(keys.boolean("llama4.use_qk_norm", "use_qk_norm"));
  HERD_TRY_VOID(read_chunks(keys, header, text));
  HERD_TRY_VOID(read_tokens(header, text, root));
  if (layers > 0 && head_size.value_or(0) > 0 && *head_size % 2 == 0) {
    HERD_TRY(text["rope_parameters"], rope_parameters(store, header, *head_size));
  }
  HERD_TRY(const auto ties, header.boolean("herd.ties_embeddings"));
  text["tie_word_embeddings"] = ties.value_or(false) || store.find("output.weight") == nullptr;
  HERD_TRY(const auto file_type, header.integer("general.file_type"));
  root["dtype"] = file_type && *file_type == file_type_f32 ? "float32" : "bfloat16";
  HERD_TRY(auto vision, any_vision(store));
  if (vision) root["vision_config"] = *std::move(vision);
  root["architectures"] =
      json::array{vision ? "Llama4ForConditionalGeneration" : "Llama4ForCausalLM"};
  root["text_config"] = std::move(text);
  return json::value(std::move(root));
}

Result<Config> config_from_gguf(const Store& store) {
  HERD_TRY(const json::value config, hugging_face_config_of_gguf(store));
  auto read = config_from_hugging_face(config);
  if (!read)
    return std::unexpected(std::move(read).error().in("the metadata, in the words of config.json"));
  const auto& header = store.gguf().front();
  if (header.find("llama4.use_qk_norm") == nullptr && read->text.experts == experts_without_qk_norm)
    read->notes.emplace_back(
        "128 experts and no llama4.use_qk_norm: taken for Maverick, without norm of queries and "
        "keys");
  return read;
}

}  // namespace herd::llama4
