#include "llama4/presets.h"

#include <algorithm>

#include "base/check.h"

namespace herd::llama4 {
namespace {

struct Preset {
  std::string_view name;
  TextConfig text;
  std::int64_t moe_step = 1;  // layer l has experts where (l + 1) divides by it
  VisionConfig vision;
  std::int32_t first_special =
      200'000;  // id of <|begin_of_text|>; others at their distances in the vocabulary
  std::int32_t pictures_at = 80;  // of <|image_start|>, from first_special
};

constexpr std::int64_t global_step = 4;  // every fourth layer sees everything and has no positions

// llama-models params.json, and config.json of meta-llama/Llama-4-*-Instruct (spec 1.1, 1.2).
TextConfig released_text() {
  return {.vocabulary = 202'048,
          .width = 5120,
          .layers = 48,
          .heads = 40,
          .key_value_heads = 8,
          .head_size = 128,
          .expert_width = 8192,
          .dense_width = 16'384,
          .is_moe = {},
          .rotates = {},
          .chunk = 8192,
          .rope_scaling = {}};
}

VisionConfig released_vision() {
  return {.width = 1408,
          .inner_width = 5632,
          .layers = 34,
          .heads = 16,
          .image_size = 336,
          .patch_size = 14,
          .projector_input = 4096,
          .projector_output = 4096};
}

Preset scout() {
  Preset preset{.name = "scout", .text = released_text(), .vision = released_vision()};
  preset.text.experts = 16;
  preset.text.normalizes_qk = true;
  preset.text.rope_scaling = RopeScaling{};
  preset.text.context = 10'485'760;
  return preset;
}

Preset maverick() {
  Preset preset{
      .name = "maverick", .text = released_text(), .moe_step = 2, .vision = released_vision()};
  preset.text.experts = 128;
  preset.text.context = 1'048'576;
  return preset;
}

// As models/cria, which a test compares.
Preset cria() {
  return {.name = "cria",
          .text = {.vocabulary = 2048,
                   .width = 192,
                   .layers = 8,
                   .heads = 4,
                   .key_value_heads = 2,
                   .head_size = 64,
                   .expert_width = 208,
                   .dense_width = 416,
                   .experts = 8,
                   .is_moe = {},
                   .rotates = {},
                   .chunk = 128,
                   .normalizes_qk = true,
                   .rope_theta = 1000,
                   .rope_scaling = {},
                   .context = 16384},
          .moe_step = 2,
          .vision = {.width = 96,
                     .inner_width = 384,
                     .layers = 3,
                     .heads = 4,
                     .image_size = 112,
                     .patch_size = 14,
                     .projector_input = 192,
                     .projector_output = 192},
          .first_special = 2016,
          .pictures_at = 19};
}

}  // namespace

Config preset(std::string_view name, std::int64_t layers) {
  const std::array presets{scout(), maverick(), cria()};
  const auto found = std::ranges::find(presets, name, &Preset::name);
  HERD_CHECK(found != presets.end(), "no model shape is called {}", name);
  Config config;
  config.text = found->text;
  config.vision = found->vision;
  TextConfig& text = config.text;
  if (layers > 0) text.layers = layers;
  for (std::int64_t layer = 0; layer < text.layers; ++layer) {
    text.is_moe.push_back((layer + 1) % found->moe_step == 0);
    text.rotates.push_back((layer + 1) % global_step != 0);
  }
  // A width that no layer has is 0, as when the configuration is read from a file.
  if (std::ranges::find(text.is_moe, false) == text.is_moe.end()) text.dense_width = 0;
  if (std::ranges::find(text.is_moe, true) == text.is_moe.end()) text.expert_width = 0;

  const std::int32_t first = found->first_special;
  config.bos_token = first;
  config.stop_tokens = {first + 1, first + 7, first + 8};  // <|end_of_text|>, <|eom|>, <|eot|>
  config.pad_token = first + 18;
  config.image_start_token = first + found->pictures_at;
  config.image_end_token = config.image_start_token + 1;
  config.image_token = config.image_start_token + 12;
  config.torch_dtype = "bfloat16";
  return config;
}

}  // namespace herd::llama4
