// What a Llama 4 checkpoint says about its own shape. Defaults are those of the family (Meta's and Hugging Face's
// published configurations); names follow Hugging Face's config.json, with the inverted ones put right.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace herd::llama4 {

// The llama3 rule that stretches long wavelengths (Scout).
struct RopeScaling {
  double factor = 16.0;
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 1.0;
  std::int64_t original_context = 8192;
};

struct TextConfig {
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;  // D
  std::int64_t layers = 0;
  std::int64_t heads = 0;            // query heads
  std::int64_t key_value_heads = 0;  // divides heads
  std::int64_t head_size = 0;        // even
  std::int64_t expert_width = 0;     // inner width of routed and shared experts
  std::int64_t dense_width = 0;      // inner width of layers without experts
  std::int64_t experts = 0;          // routed; 0 for dense models (Llama Guard 4)
  std::int64_t experts_per_token = 1;
  std::vector<bool> is_moe = {};  // [layers]
  std::vector<bool> rotates =
      {};                  // [layers]: true = RoPE and chunked, false = no positions and global
  std::int64_t chunk = 0;  // attention chunk of rotating layers in tokens; 0 = none, full attention
  bool normalizes_qk = false;
  bool tempers = true;  // attention temperature on layers without positions
  std::int64_t temperature_floor = 8192;
  double temperature_scale = 0.1;
  double norm_eps = 1e-5;
  double rope_theta = 500000.0;
  std::optional<RopeScaling> rope_scaling = {};
  std::int64_t context = 0;      // trained or extrapolated maximum, in tokens
  bool ties_embeddings = false;  // the output matrix is the embedding table; no released model does
};

struct VisionConfig {
  std::int64_t width = 0;
  std::int64_t inner_width = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t image_size = 0;  // side of a tile in pixels
  std::int64_t patch_size = 0;
  std::int64_t channels = 3;
  double pixel_shuffle_ratio = 0.5;
  std::int64_t projector_input = 0;   // width inside the adapter
  std::int64_t projector_output = 0;  // width the adapter gives (vision_output_dim)
  double norm_eps = 1e-5;
  double rope_theta = 10000.0;

  // Patches per side, and vectors per tile after the pixel shuffle.
  [[nodiscard]] std::int64_t patches_per_side() const { return image_size / patch_size; }
  [[nodiscard]] std::int64_t tokens_per_tile() const;
};

struct Config {
  TextConfig text;
  std::optional<VisionConfig> vision;
  std::int32_t image_token = 200092;  // <|patch|>, one per vector that a picture becomes
  std::int32_t image_start_token = 200080;
  std::int32_t image_end_token = 200081;
  std::int32_t bos_token = 200000;        // -1: none
  std::vector<std::int32_t> stop_tokens;  // generation ends on any
  std::int32_t pad_token = 200018;        // -1: none
  std::string torch_dtype;                // what the file says its weights are; informative only
  std::vector<std::string>
      notes;  // corrections made while reading, for the banner and `herd inspect`
  bool leaves_vision_out = false;  // the files have a vision encoder, and the user wants none
};

// Reads Hugging Face's config.json (transformers 4 and 5 spellings; multimodal and text-only). All problems are listed
// in one config_invalid error, not the first alone.
Result<Config> config_from_hugging_face(const json::value& config);

// Reads Meta's params.json. Widths that the formula cannot give are completed from tensor shapes by the loader.
Result<Config> config_from_meta(const json::value& params);

// Adds what generation_config.json says: stop tokens, pad, bos.
Result<void> apply_generation_config(Config& config, const json::value& generation);

}  // namespace herd::llama4
