#include "llama4/config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/limits.h"
#include "llama4/config_fields.h"

namespace herd::llama4 {
namespace {

constexpr std::int64_t width_max = static_cast<std::int64_t>(limits::width_max);
constexpr std::int64_t vocabulary_max = static_cast<std::int64_t>(limits::vocabulary_max);
constexpr std::int64_t layers_max = static_cast<std::int64_t>(limits::layers_max);
constexpr std::int64_t tokens_max = std::int64_t{1} << 40;  // of a context; positions stay exact
constexpr std::array<std::int64_t, 3> family_stop_tokens{200001, 200007, 200008};

// ---------------------------------------------------------------------------------------------- which layer is what

// is_moe: `moe_layers` wins over the interleave step, an empty list means none.
std::vector<bool> moe_layers(Fields& fields, const TextConfig& text, Config& config) {
  std::vector<bool> is_moe(static_cast<std::size_t>(text.layers), false);
  if (const auto listed = fields.integers("moe_layers", 0, layers_max)) {
    std::size_t beyond = 0;
    for (std::int64_t layer : *listed) {
      if (layer < text.layers)
        is_moe[static_cast<std::size_t>(layer)] = true;
      else
        ++beyond;
    }
    if (beyond != 0)
      config.notes.push_back(
          fmt::format("moe_layers: {} entries behind the last layer are ignored", beyond));
    if (fields.passed({"num_local_experts"}) && text.experts == 0 && !listed->empty())
      fields.problem("moe_layers", "lists layers, but num_local_experts is 0");
    return is_moe;
  }
  if (text.experts == 0) return is_moe;
  const std::int64_t step = fields.integer("interleave_moe_layer_step", 1, layers_max, 1);
  for (std::int64_t layer = 0; layer < text.layers; ++layer)
    is_moe[static_cast<std::size_t>(layer)] = (layer + 1) % step == 0;
  return is_moe;
}

// rotates: `no_rope_layers` holds 1 for layers with RoPE (the name is inverted); missing, null and empty mean every
// no_rope_layer_interval-th layer goes without.
std::vector<bool> rotating_layers(Fields& fields, const TextConfig& text, Config& config) {
  const auto layers = static_cast<std::size_t>(text.layers);
  std::vector<bool> rotates(layers, true);
  const auto listed = fields.integers("no_rope_layers", 0, 1);
  if (listed && !listed->empty()) {
    if (listed->size() < layers)
      fields.problem("no_rope_layers",
                     fmt::format("has {} entries for {} layers", listed->size(), layers));
    if (listed->size() > layers)
      config.notes.push_back(fmt::format(
          "no_rope_layers: {} entries behind the last layer are ignored", listed->size() - layers));
    for (std::size_t layer = 0; layer < std::min(layers, listed->size()); ++layer)
      rotates[layer] = (*listed)[layer] == 1;
    return rotates;
  }
  const std::int64_t interval = fields.integer("no_rope_layer_interval", 1, layers_max, 4);
  for (std::size_t layer = 0; layer < layers; ++layer)
    rotates[layer] = (static_cast<std::int64_t>(layer) + 1) % interval != 0;
  return rotates;
}

// chunk, checked against layer_types where a file has them: herd's layers are chunked exactly where they rotate.
std::int64_t attention_chunk(Fields& fields, const TextConfig& text) {
  std::int64_t chunk = 0;
  if (!fields.is_null("attention_chunk_size"))
    chunk = fields.integer("attention_chunk_size", 1, tokens_max, 8192);
  const auto types = fields.texts("layer_types");
  if (!types || types->empty()) return chunk;
  const auto layers = static_cast<std::size_t>(text.layers);
  if (types->size() < layers) {
    fields.problem("layer_types",
                   fmt::format("has {} entries for {} layers", types->size(), layers));
    return chunk;
  }
  std::size_t chunked = 0;
  std::optional<std::size_t> disagrees;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const std::string& type = (*types)[layer];
    if (type != "chunked_attention" && type != "full_attention") {
      fields.problem(
          "layer_types",
          fmt::format("has {} at position {}, wanted chunked_attention or full_attention",
                      shown(type), layer));
      return chunk;
    }
    const bool is_chunked = type == "chunked_attention";
    chunked += is_chunked;
    if (is_chunked != text.rotates[layer] && !disagrees) disagrees = layer;
  }
  if (chunked == 0) return 0;  // full attention everywhere, whatever the chunk size
  if (disagrees && chunk != 0)
    fields.problem("layer_types",
                   fmt::format("has {} at position {}, but the layer is one {} positions; chunked "
                               "layers must be those with RoPE",
                               (*types)[*disagrees], *disagrees,
                               text.rotates[*disagrees] ? "with" : "without"));
  return chunk;
}

// ------------------------------------------------------------------------------------------------------------- RoPE

std::optional<RopeScaling> rope_scaling(Fields& rope) {
  std::string type = rope.text("rope_type", "");
  if (type.empty()) type = rope.text("type", "default");
  if (const double part = rope.number("partial_rotary_factor", 1.0); part != 1.0)
    rope.problem("partial_rotary_factor", fmt::format("is {}, only 1 is supported", part));
  if (type == "default") return std::nullopt;
  if (type != "llama3") {
    rope.problem("rope_type", fmt::format("is {}, supported: default, llama3", shown(type)));
    return std::nullopt;
  }
  RopeScaling scaling;
  scaling.factor = rope.positive("factor");
  scaling.low_frequency_factor = rope.positive("low_freq_factor", 1.0);
  scaling.high_frequency_factor = rope.positive("high_freq_factor", 1.0);
  scaling.original_context = rope.integer("original_max_position_embeddings", 1, tokens_max, 8192);
  if (scaling.high_frequency_factor < scaling.low_frequency_factor)
    rope.problem("high_freq_factor",
                 fmt::format("is {}, below low_freq_factor {}", scaling.high_frequency_factor,
                             scaling.low_frequency_factor));
  return scaling;
}

// The one set of parameters all rotating layers share. transformers 5 may nest them by layer type.
const json::value* rope_parameters(Fields& fields, std::string& name) {
  for (const char* spelling : {"rope_parameters", "rope_scaling"}) {
    const json::value* value = fields.find(spelling);
    if (value == nullptr) continue;
    name = spelling;
    const json::object* object = value->if_object();
    if (object == nullptr) {
      fields.problem(spelling, fmt::format("is {}, wanted an object", shown_json(*value)));
      return nullptr;
    }
    const json::value* nested = find(*value, "chunked_attention");
    if (nested == nullptr) nested = find(*value, "full_attention");
    if (nested == nullptr) return value;
    name += ".chunked_attention";
    return nested;
  }
  return nullptr;
}

void read_rope(Fields& fields, TextConfig& text) {
  std::string name;
  const json::value* parameters = rope_parameters(fields, name);
  Fields rope(parameters, fields.path(name) + ".", fields.problems());
  const double outer = fields.positive("rope_theta", 500000.0);
  text.rope_theta = rope.positive("rope_theta", outer);
  if (parameters != nullptr) text.rope_scaling = rope_scaling(rope);
}

// ------------------------------------------------------------------------------------------------------------- text

void require_text(Fields& fields, std::string_view name, std::string_view wanted) {
  if (const std::string found = fields.text(name, wanted); found != wanted)
    fields.problem(name, fmt::format("is {}, supported: {}", shown(found), wanted));
}

void require_off(Fields& fields, std::string_view name) {
  if (fields.boolean(name, false)) fields.problem(name, "is true; such models are not supported");
}

void read_text(Fields& fields, Config& config) {
  TextConfig& text = config.text;
  text.vocabulary = fields.integer("vocab_size", 1, vocabulary_max);
  if (!fields.passed({"vocab_size"})) text.vocabulary = vocabulary_max;  // no blame on token ids
  text.width = fields.integer("hidden_size", 1, width_max);
  text.layers = fields.integer("num_hidden_layers", 1, layers_max);
  text.heads = fields.integer("num_attention_heads", 1, width_max);
  text.key_value_heads = fields.integer("num_key_value_heads", 1, width_max, text.heads);
  if (fields.passed({"num_attention_heads", "num_key_value_heads"}) &&
      text.heads % text.key_value_heads != 0)
    fields.problem("num_key_value_heads",
                   fmt::format("is {}, which does not divide num_attention_heads {}",
                               text.key_value_heads, text.heads));
  text.head_size =
      fields.integer("head_dim", 1, width_max, std::max<std::int64_t>(1, text.width / text.heads));
  if (fields.passed({"head_dim", "num_attention_heads"}) && text.head_size % 2 != 0)
    fields.problem("head_dim", fmt::format("is {}, wanted an even number", text.head_size));
  if (text.heads * text.head_size > width_max)
    fields.problem("head_dim", fmt::format("is {}, {} heads of it are wider than {}",
                                           text.head_size, text.heads, width_max));
  text.experts =
      fields.integer("num_local_experts", 0, static_cast<std::int64_t>(limits::experts_max));
  text.is_moe = moe_layers(fields, text, config);
  text.rotates = rotating_layers(fields, text, config);
  text.chunk = attention_chunk(fields, text);

  // Where the number of layers is wrong, nobody knows which have experts; then all are taken to.
  const bool any_moe = std::ranges::find(text.is_moe, true) != text.is_moe.end() ||
                       (text.experts > 0 && !fields.passed({"num_hidden_layers"}));
  const bool any_dense = std::ranges::find(text.is_moe, false) != text.is_moe.end() &&
                         fields.passed({"num_hidden_layers"});
  text.expert_width = any_moe ? fields.integer("intermediate_size", 1, width_max) : 0;
  text.dense_width = any_dense ? fields.integer("intermediate_size_mlp", 1, width_max) : 0;
  if (any_moe) {
    text.experts_per_token =
        fields.integer("num_experts_per_tok", 1, static_cast<std::int64_t>(limits::experts_max), 1);
    if (fields.passed({"num_local_experts", "num_experts_per_tok"}) &&
        text.experts_per_token > text.experts)
      fields.problem("num_experts_per_tok", fmt::format("is {}, more than num_local_experts {}",
                                                        text.experts_per_token, text.experts));
  }

  text.normalizes_qk = fields.boolean("use_qk_norm", true);
  text.tempers =
      !fields.is_null("attn_temperature_tuning") && fields.boolean("attn_temperature_tuning", true);
  text.temperature_floor = fields.integer("floor_scale", 1, tokens_max, 8192);
  text.temperature_scale = fields.number("attn_scale", 0.1);
  text.norm_eps = fields.positive("rms_norm_eps", 1e-5);
  text.context = fields.integer("max_position_embeddings", 1, tokens_max, 131072);
  read_rope(fields, text);
  require_text(fields, "hidden_act", "silu");
  require_off(fields, "attention_bias");
}

// ----------------------------------------------------------------------------------------------------------- vision

// 336 or [336, 336].
std::int64_t square_side(Fields& fields, std::string_view name, std::int64_t max) {
  const json::value* value = fields.find(name);
  if (value == nullptr || !value->is_array()) return fields.integer(name, 1, max);
  const auto sides = fields.integers(name, 1, max);
  if (sides->size() == 2 && sides->front() == sides->back()) return sides->front();
  fields.problem(name, "wanted one number, or two equal ones");
  return 1;
}

// Vectors of the pixel shuffle's input that become one: 4 for a ratio of 0.5. Nothing when 1 / ratio is not whole.
std::optional<std::int64_t> shuffle_side(double ratio) {
  const double side = std::round(1.0 / ratio);
  if (!(ratio > 0 && side >= 1 && side <= 64 && std::abs(side * ratio - 1.0) < 1e-6))
    return std::nullopt;
  return static_cast<std::int64_t>(side);
}

void check_vision(Fields& fields, const VisionConfig& vision) {
  if (fields.passed({"hidden_size", "num_attention_heads"}) &&
      (vision.width % vision.heads != 0 || vision.width / vision.heads % 4 != 0))
    fields.problem("num_attention_heads",
                   fmt::format("is {}: hidden_size {} must split into heads of a multiple of 4",
                               vision.heads, vision.width));
  const auto side = shuffle_side(vision.pixel_shuffle_ratio);
  if (!side)
    fields.problem("pixel_shuffle_ratio", fmt::format("is {}, wanted 1 divided by a whole number",
                                                      vision.pixel_shuffle_ratio));
  if (!fields.passed({"image_size", "patch_size"})) return;
  if (vision.image_size % vision.patch_size != 0)
    fields.problem("patch_size", fmt::format("is {}, which does not divide image_size {}",
                                             vision.patch_size, vision.image_size));
  else if (side && vision.patches_per_side() % *side != 0)
    fields.problem("patch_size", fmt::format("is {}: {} patches a side do not fold by {}",
                                             vision.patch_size, vision.patches_per_side(), *side));
  if (side && fields.passed({"hidden_size", "intermediate_size"}) &&
      vision.inner_width != vision.width * *side * *side)
    fields.problem(
        "intermediate_size",
        fmt::format("is {}, but the adapter takes {} (hidden_size / pixel_shuffle_ratio^2)",
                    vision.inner_width, vision.width * *side * *side));
  if (fields.passed({"projector_input_dim", "vision_output_dim"}) &&
      vision.projector_input != vision.projector_output)
    fields.problem("projector_input_dim",
                   fmt::format("is {}, but vision_output_dim is {}; they must agree",
                               vision.projector_input, vision.projector_output));
}

VisionConfig read_vision(Fields& fields) {
  VisionConfig vision;
  vision.width = fields.integer("hidden_size", 1, width_max);
  vision.inner_width = fields.integer("intermediate_size", 1, width_max);
  vision.layers = fields.integer("num_hidden_layers", 1, layers_max);
  vision.heads = fields.integer("num_attention_heads", 1, width_max);
  vision.image_size =
      square_side(fields, "image_size", static_cast<std::int64_t>(limits::image_side_max));
  vision.patch_size =
      square_side(fields, "patch_size", static_cast<std::int64_t>(limits::image_side_max));
  vision.channels = fields.integer("num_channels", 3, 3, 3);
  vision.pixel_shuffle_ratio = fields.positive("pixel_shuffle_ratio", 0.5);
  vision.projector_input = fields.integer("projector_input_dim", 1, width_max);
  vision.projector_output = fields.integer("vision_output_dim", 1, width_max);
  if (const auto middle =
          fields.integer("projector_output_dim", 1, width_max, vision.projector_output);
      fields.passed({"vision_output_dim", "projector_output_dim"}) &&
      middle != vision.projector_output)
    fields.problem("projector_output_dim",
                   fmt::format("is {}, but vision_output_dim is {}; they must agree", middle,
                               vision.projector_output));
  vision.norm_eps = fields.positive("norm_eps", 1e-5);
  Fields rope(fields.find("rope_parameters"), fields.path("rope_parameters") + ".",
              fields.problems());
  vision.rope_theta = rope.positive("rope_theta", fields.positive("rope_theta", 10000.0));
  require_text(fields, "hidden_act", "gelu");
  require_off(fields, "multi_modal_projector_bias");
  check_vision(fields, vision);
  return vision;
}

// ----------------------------------------------------------------------------------------------------------- tokens

// A token id below the vocabulary; -1 (none) passes where `none` allows it.
std::int32_t token(Fields& fields, std::string_view name, std::int64_t vocabulary,
                   std::int64_t fallback, bool none) {
  const std::int64_t otherwise = fallback < vocabulary ? fallback : -1;
  return static_cast<std::int32_t>(fields.integer(name, none ? -1 : 0, vocabulary - 1, otherwise));
}

// eos_token_id is a number or a list of them.
std::vector<std::int32_t> stop_tokens(Fields& fields, std::int64_t vocabulary) {
  std::vector<std::int32_t> out;
  const json::value* value = fields.find("eos_token_id");
  if (value == nullptr) return out;
  if (!value->is_array())
    return {static_cast<std::int32_t>(fields.integer("eos_token_id", 0, vocabulary - 1))};
  const auto ids = fields.integers("eos_token_id", 0, vocabulary - 1);
  for (std::int64_t id : ids.value())
    if (std::ranges::find(out, id) == out.end()) out.push_back(static_cast<std::int32_t>(id));
  return out;
}

void read_tokens(Fields& root, Fields& text, Config& config) {
  const std::int64_t vocabulary = config.text.vocabulary;
  config.bos_token = token(text, "bos_token_id", vocabulary, 200000, true);
  config.pad_token = token(text, "pad_token_id", vocabulary, 200018, true);
  config.stop_tokens = stop_tokens(text, vocabulary);
  if (config.stop_tokens.empty())
    for (std::int64_t id : family_stop_tokens)
      if (id < vocabulary) config.stop_tokens.push_back(static_cast<std::int32_t>(id));
  if (!config.vision) return;
  const auto image_token = [&](std::string_view old_name, std::string_view new_name,
                               std::int64_t fallback) {
    const bool has_new = root.find(old_name) == nullptr && root.find(new_name) != nullptr;
    const std::string_view name = has_new ? new_name : old_name;
    if (root.find(name) == nullptr && fallback >= vocabulary)
      root.problem(name, fmt::format("is missing, and the family's {} is not in a vocabulary of {}",
                                     fallback, vocabulary));
    return token(root, name, vocabulary, fallback, false);
  };
  config.image_token = image_token("image_token_index", "image_token_id", 200092);
  config.image_start_token = image_token("boi_token_index", "boi_token_id", 200080);
  config.image_end_token = image_token("eoi_token_index", "eoi_token_id", 200081);
}

// ------------------------------------------------------------------------------------------------------------- rest

// Multimodal ("llama4" with text_config inside) or text only ("llama4_text", everything at the top).
bool is_text_only(Fields& root) {
  const std::string type = root.text("model_type", "");
  const auto architectures = root.texts("architectures");
  if (architectures)
    for (const std::string& name : *architectures)
      if (name != "Llama4ForConditionalGeneration" && name != "Llama4ForCausalLM")
        root.problem(
            "architectures",
            fmt::format("has {}, supported: Llama4ForConditionalGeneration, Llama4ForCausalLM",
                        shown(name)));
  if (type != "llama4" && type != "llama4_text" && !(type.empty() && architectures))
    root.problem("model_type", fmt::format("is {}, supported: llama4, llama4_text",
                                           type.empty() ? "missing" : shown(type)));
  return type == "llama4_text" || root.find("text_config") == nullptr;
}

// How a group of compressed-tensors' weights is kept, where it could not be read.
void check_fp8(Fields& weights) {
  if (weights.integer("num_bits", 1, 64, 8) != 8 || weights.text("type", "float") != "float" ||
      weights.text("strategy", "channel") != "channel")
    weights.problem("strategy", "and num_bits must be those of FP8 by channel (8 bits, float)");
}

void check_int4(Fields& weights) {
  const std::int64_t bits = weights.integer("num_bits", 1, 64, 4);
  if (bits != 4 || weights.text("type", "int") != "int")
    weights.problem("num_bits",
                    fmt::format("is {}, type {}; supported in pack-quantized: 4 bits, int", bits,
                                shown(weights.text("type", "int"))));
  if (!weights.boolean("symmetric", true))
    weights.problem("symmetric", "is false; weights with zero points are not read");
  const std::string strategy = weights.text("strategy", "group");
  if (strategy != "channel" &&
      (strategy != "group" || weights.integer("group_size", -1, 1 << 30, 128) != 128))
    weights.problem("strategy",
                    fmt::format("is {} with group_size {}; supported: group with 128, "
                                "channel",
                                shown(strategy), weights.integer("group_size", -1, 1 << 30, 128)));
  if (const std::string order = weights.text("actorder", "static"); order == "group")
    weights.problem("actorder", "is group; only groups of neighbouring inputs are read");
}

// Weights of compressed-tensors' float-quantized kind are FP8 with a scale for each output row, those of its
// pack-quantized kind int4 in groups; the loader decides tensor by tensor, so only what it could not read is refused
// here.
void check_quantization(Fields& root, const json::value* quantization, Config& config) {
  if (quantization == nullptr) return;
  Fields fields(quantization, "quantization_config.", root.problems());
  constexpr std::string_view supported =
      "compressed-tensors with format float-quantized (FP8) or pack-quantized (int4)";
  const std::string method = fields.text("quant_method", "missing");
  if (method != "compressed-tensors") {
    fields.problem("quant_method", fmt::format("is {}, supported: {}", shown(method), supported));
    return;
  }
  const std::string format = fields.text("format", "float-quantized");
  const bool packs = format == "pack-quantized";
  if (format != "float-quantized" && !packs)
    fields.problem("format", fmt::format("is {}, supported: {}", shown(format), supported));
  if (const json::value* groups = fields.find("config_groups"); groups && groups->is_object())
    for (const auto& group : groups->get_object()) {
      const json::value* weights = find(group.value(), "weights");
      Fields inner(weights, fields.path("config_groups.") + std::string(group.key()) + ".weights.",
                   root.problems());
      packs ? check_int4(inner) : check_fp8(inner);
    }
  if (fields.find("kv_cache_scheme") != nullptr)
    config.notes.emplace_back(
        "quantization_config.kv_cache_scheme is ignored: the cache keeps its type");
}

Result<void> refuse_code(const json::value& config) {
  for (const char* name : {"auto_map", "custom_code"})
    for (const json::value* object : {&config, find(config, "text_config")})
      if (object != nullptr && find(*object, name) != nullptr)
        return fail_with_hint(
            Code::refused, fmt::format("'{}' asks for code of the checkpoint to be run", name),
            "herd runs no code from checkpoints; if the model is a plain Llama 4, "
            "remove the entry");
  return {};
}

}  // namespace

void correct_scout_scaling(Config& config) {
  TextConfig& text = config.text;
  const bool is_scout = text.experts == 16 && text.layers == 48 && text.width == 5120;
  if (!is_scout || !text.rope_scaling) return;
  RopeScaling& scaling = *text.rope_scaling;
  if (scaling.factor != 8.0 || scaling.high_frequency_factor != 4.0) return;
  scaling.factor = 16.0;
  scaling.high_frequency_factor = 1.0;
  config.notes.emplace_back(
      "rope scaling factor 8 / high_freq_factor 4 replaced by 16 / 1, for which Scout was trained");
}

std::int64_t VisionConfig::tokens_per_tile() const {
  const std::int64_t side = patches_per_side() / shuffle_side(pixel_shuffle_ratio).value_or(1);
  return side * side;
}

Result<Config> config_from_hugging_face(const json::value& value) {
  if (!value.is_object()) return fail(Code::config_invalid, "the configuration is no JSON object");
  HERD_TRY_VOID(refuse_code(value));
  Config config;
  Problems problems;
  Fields root(&value, "", problems);
  const bool text_only = is_text_only(root);
  Fields text(text_only ? &value : root.find("text_config"), text_only ? "" : "text_config.",
              problems);
  read_text(text, config);
  if (const json::value* vision = text_only ? nullptr : root.find("vision_config")) {
    Fields fields(vision, "vision_config.", problems);
    config.vision = read_vision(fields);
  }
  read_tokens(root, text, config);
  const json::value* quantization = root.find("quantization_config");
  check_quantization(root, quantization ? quantization : text.find("quantization_config"), config);
  config.text.ties_embeddings =
      text.boolean("tie_word_embeddings", false) || root.boolean("tie_word_embeddings", false);
  config.torch_dtype = root.text("dtype", root.text("torch_dtype", ""));
  if (!problems.empty()) return config_error(problems);
  correct_scout_scaling(config);
  return config;
}

Result<void> apply_generation_config(Config& config, const json::value& generation) {
  if (!generation.is_object())
    return fail(Code::config_invalid, "generation_config is no JSON object");
  Problems problems;
  Fields fields(&generation, "generation_config.", problems);
  const std::int64_t vocabulary = config.text.vocabulary;
  config.bos_token = token(fields, "bos_token_id", vocabulary, config.bos_token, true);
  config.pad_token = token(fields, "pad_token_id", vocabulary, config.pad_token, true);
  for (std::int32_t id : stop_tokens(fields, vocabulary))
    if (std::ranges::find(config.stop_tokens, id) == config.stop_tokens.end())
      config.stop_tokens.push_back(id);
  if (!problems.empty()) return config_error(problems);
  return {};
}

}  // namespace herd::llama4
