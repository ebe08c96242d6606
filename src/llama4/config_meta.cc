// Meta's params.json -> Config. Keys and defaults: llama-models, models/llama4/args.py.
#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "llama4/config.h"
#include "llama4/config_fields.h"

namespace herd::llama4 {
namespace {

constexpr std::int64_t width_max = static_cast<std::int64_t>(limits::width_max);
constexpr std::int64_t layers_max = static_cast<std::int64_t>(limits::layers_max);
constexpr std::int64_t experts_max = static_cast<std::int64_t>(limits::experts_max);
constexpr std::int64_t vocabulary_max = static_cast<std::int64_t>(limits::vocabulary_max);
constexpr std::int64_t tokens_max = std::int64_t{1} << 40;
constexpr std::int64_t family_vocabulary = 202048;
constexpr std::int64_t special_tokens = 2048;  // behind the words of every Llama 4 vocabulary

std::int64_t rounded_up(std::int64_t width, std::int64_t multiple) {
  return (width + multiple - 1) / multiple * multiple;
}

// The native code's widths, truncated to whole numbers where it truncates. complete_widths() in meta.h has the
// last word.
void widths_by_formula(Fields& fields, Fields& moe, TextConfig& text) {
  const std::int64_t multiple = fields.integer("multiple_of", 1, width_max, 256);
  const double multiplier = fields.positive("ffn_dim_multiplier", 1.0);
  const double expansion = fields.positive("ffn_exp", 4.0);
  const double capacity = moe.positive("capacity_factor", 1.0);
  const bool scales_down = moe.boolean("auto_scale_F", true);
  const auto D = static_cast<double>(text.width);
  const double dense = std::trunc(multiplier * std::trunc(2.0 * std::trunc(4.0 * D) / 3.0));
  double expert = std::trunc(multiplier * std::trunc(2.0 * std::trunc(expansion * D) / 3.0));
  if (scales_down) expert = std::trunc(expert / (capacity + 1.0));
  for (const auto& [width, out, name] : {std::tuple{dense, &text.dense_width, "ffn_dim_multiplier"},
                                         std::tuple{expert, &text.expert_width, "ffn_exp"}}) {
    if (!(width >= 1.0 && width <= static_cast<double>(width_max))) {
      fields.problem(
          name, fmt::format("gives a feed-forward width of {}, wanted 1 to {}", width, width_max));
      continue;
    }
    *out = rounded_up(static_cast<std::int64_t>(width), multiple);
  }
}

void read_text(Fields& fields, const json::value* moe_args, Config& config) {
  TextConfig& text = config.text;
  Fields moe(moe_args, fields.path("moe_args."), fields.problems());
  text.vocabulary = fields.integer("vocab_size", -1, vocabulary_max, -1);
  if (text.vocabulary < 1) text.vocabulary = family_vocabulary;
  text.width = fields.integer("dim", 1, width_max);
  text.layers = fields.integer("n_layers", 1, layers_max);
  text.heads = fields.integer("n_heads", 1, width_max);
  text.key_value_heads = fields.integer("n_kv_heads", 1, width_max, text.heads);
  if (fields.passed({"n_heads", "n_kv_heads"}) && text.heads % text.key_value_heads != 0)
    fields.problem("n_kv_heads", fmt::format("is {}, which does not divide n_heads {}",
                                             text.key_value_heads, text.heads));
  text.head_size =
      fields.integer("head_dim", 1, width_max, std::max<std::int64_t>(1, text.width / text.heads));
  if (fields.passed({"head_dim", "n_heads", "dim"}) &&
      (text.head_size % 2 != 0 || text.heads * text.head_size > width_max))
    fields.problem("head_dim",
                   fmt::format("is {}, wanted an even number, {} heads of it at most {}",
                               text.head_size, text.heads, width_max));

  text.experts = std::max<std::int64_t>(0, moe.integer("num_experts", -1, experts_max, -1));
  text.experts_per_token = moe.integer("top_k", 1, experts_max, 1);
  if (text.experts > 0 && text.experts_per_token > text.experts)
    moe.problem("top_k", fmt::format("is {}, more than num_experts {}", text.experts_per_token,
                                     text.experts));
  const std::int64_t step = moe.integer("interleave_moe_layer_step", 1, layers_max, 1);
  const std::int64_t interval =
      fields.integer("nope_layer_interval", 1, layers_max, layers_max + 1);
  for (std::int64_t layer = 1; layer <= text.layers; ++layer) {
    text.is_moe.push_back(text.experts > 0 && layer % step == 0);
    text.rotates.push_back(layer % interval != 0);
  }
  widths_by_formula(fields, moe, text);

  text.chunk = fields.integer("attention_chunk_size", 1, tokens_max, 0);
  text.normalizes_qk = fields.boolean("use_qk_norm", false);
  text.tempers = fields.boolean("attn_temperature_tuning", true);
  text.temperature_floor = fields.integer("floor_scale", 1, tokens_max, 8192);
  text.temperature_scale = fields.number("attn_scale", 0.1);
  text.norm_eps = fields.positive("norm_eps", 1e-5);
  text.rope_theta = fields.positive("rope_theta", 500000.0);
  if (fields.boolean("use_scaled_rope", false)) {
    RopeScaling scaling;
    scaling.factor = fields.positive("rope_scaling_factor", 16.0);
    scaling.high_frequency_factor = fields.positive("rope_high_freq_factor", 1.0);
    if (scaling.high_frequency_factor < scaling.low_frequency_factor)
      fields.problem("rope_high_freq_factor",
                     fmt::format("is {}, below 1", scaling.high_frequency_factor));
    text.rope_scaling = scaling;
  }
  text.context = text.rope_scaling ? 10'485'760 : 1'048'576;
  config.notes.push_back(
      fmt::format("context of {} tokens assumed; params.json has none", text.context));
}

// {"height": 336, "width": 336}
std::int64_t square_side(Fields& vision, std::string_view name) {
  constexpr std::int64_t side_max = static_cast<std::int64_t>(limits::image_side_max);
  Fields size(vision.find(name), vision.path(name) + ".", vision.problems());
  const std::int64_t height = size.integer("height", 1, side_max);
  const std::int64_t width = size.integer("width", 1, side_max);
  if (size.passed({"height", "width"}) && height != width)
    size.problem("width",
                 fmt::format("is {}, but height is {}; only squares are supported", width, height));
  return height;
}

VisionConfig read_vision(Fields& fields) {
  VisionConfig vision;
  vision.width = fields.integer("dim", 1, width_max);
  vision.layers = fields.integer("n_layers", 1, layers_max);
  vision.heads = fields.integer("n_heads", 1, width_max);
  const std::size_t before = fields.problems().size();
  vision.image_size = square_side(fields, "image_size");
  vision.patch_size = square_side(fields, "patch_size");
  const bool sides_passed = fields.problems().size() == before;
  vision.projector_output = fields.integer("output_dim", 1, width_max);
  vision.projector_input = vision.projector_output;
  vision.pixel_shuffle_ratio = fields.positive("pixel_shuffle_ratio", 0.5);
  const double inner = static_cast<double>(vision.width) * fields.positive("mlp_ratio");
  if (inner >= 1.0 && inner <= static_cast<double>(width_max))
    vision.inner_width = static_cast<std::int64_t>(inner);
  else
    fields.problem("mlp_ratio",
                   fmt::format("gives a width of {}, wanted 1 to {}", inner, width_max));
  if (fields.passed({"dim", "n_heads"}) &&
      (vision.width % vision.heads != 0 || vision.width / vision.heads % 4 != 0))
    fields.problem("n_heads", fmt::format("is {}: dim {} must split into heads of a multiple of 4",
                                          vision.heads, vision.width));
  const double side = 1.0 / vision.pixel_shuffle_ratio;
  if (!(side >= 1.0 && side <= 64.0 && std::floor(side) == side))
    fields.problem("pixel_shuffle_ratio", fmt::format("is {}, wanted 1 divided by a whole number",
                                                      vision.pixel_shuffle_ratio));
  else if (sides_passed && (vision.image_size % vision.patch_size != 0 ||
                            vision.patches_per_side() % static_cast<std::int64_t>(side) != 0))
    fields.problem("patch_size", fmt::format("{} does not cut image_size {} into foldable patches",
                                             vision.patch_size, vision.image_size));
  return vision;
}

}  // namespace

Result<Config> config_from_meta(const json::value& value) {
  if (!value.is_object()) return fail(Code::config_invalid, "params.json is no JSON object");
  const json::value* inner = find(value, "model");
  const json::value* params = inner != nullptr && inner->is_object() ? inner : &value;
  Config config;
  Problems problems;
  Fields fields(params, "", problems);
  read_text(fields, fields.find("moe_args"), config);
  if (const json::value* args = fields.find("vision_args")) {
    Fields vision(args, "vision_args.", problems);
    config.vision = read_vision(vision);
  }
  if (fields.find("quantization_args") != nullptr)
    fields.problem("quantization_args", "is set; supported are bf16 files and FP8 with fp8_scales");
  if (fields.find("lora_args") != nullptr)
    fields.problem("lora_args", "is set; adapters are not part of a base model");
  const std::int64_t words = config.text.vocabulary - special_tokens;
  if (fields.passed({"vocab_size"}) && words < 1)
    fields.problem("vocab_size",
                   fmt::format("is {}, wanted more than the family's {} special tokens",
                               config.text.vocabulary, special_tokens));
  if (!problems.empty()) return config_error(problems);

  const auto special = [&](std::int64_t index) { return static_cast<std::int32_t>(words + index); };
  config.bos_token = special(0);
  config.stop_tokens = {special(1), special(7), special(8)};
  config.pad_token = special(18);
  config.image_start_token = special(80);
  config.image_end_token = special(81);
  config.image_token = special(92);
  config.torch_dtype = "bfloat16";
  correct_scout_scaling(config);
  return config;
}

}  // namespace herd::llama4
