// Reads the facts of preprocessor_config.json, as published beside Llama 4 and as transformers 5 writes it.
#include <cmath>
#include <string>

#include "base/limits.h"
#include "media/preprocess.h"

namespace herd::media {

namespace {

// Collects what cannot be done, so that all of it is reported at once.
struct Complaints {
  std::string text;

  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    if (!text.empty()) text += "; ";
    text += fmt::format(format, std::forward<Args>(args)...);
  }
};

std::string written(const json::value& value) { return shown(json::serialize(value)); }

// A whole number from 1 to `most`, or nothing with a complaint.
void read_count(const json::value& config, std::string_view key, std::uint64_t most,
                std::int64_t& to, Complaints& complaints) {
  const json::value* value = find(config, key);
  if (value == nullptr) return;
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  if (error || number < 1 || static_cast<std::uint64_t>(number) > most)
    complaints.add("{} is {}, wanted a whole number from 1 to {}", key, written(*value), most);
  else
    to = number;
}

void read_side(const json::value& config, std::int64_t& to, Complaints& complaints) {
  const json::value* size = find(config, "size");
  if (size == nullptr) return;
  if (!size->is_object()) {
    complaints.add("size is {}, wanted {{\"height\": S, \"width\": S}}", written(*size));
    return;
  }
  std::int64_t height = 0;
  std::int64_t width = 0;
  read_count(*size, "height", limits::image_tile_side_max, height, complaints);
  read_count(*size, "width", limits::image_tile_side_max, width, complaints);
  if (height != width || height == 0)
    complaints.add("size is {}, wanted equal height and width", written(*size));
  else
    to = height;
}

// Three finite numbers, or one for all channels.
void read_channels(const json::value& config, std::string_view key, bool positive,
                   std::array<float, 3>& to, Complaints& complaints) {
  const json::value* value = find(config, key);
  if (value == nullptr) return;
  std::array<float, 3> numbers{};
  bool good = value->is_number() || (value->is_array() && value->as_array().size() == 3);
  for (std::size_t c = 0; good && c < 3; ++c) {
    boost::system::error_code error;
    const json::value& one = value->is_array() ? value->as_array()[c] : *value;
    numbers[c] = static_cast<float>(one.to_number<double>(error));
    good = !error && std::isfinite(numbers[c]) && (!positive || numbers[c] > 0.0f);
  }
  if (good)
    to = numbers;
  else
    complaints.add("{} is {}, wanted three {}numbers", key, written(*value),
                   positive ? "positive " : "");
}

void read_switch(const json::value& config, std::string_view key, bool& to,
                 Complaints& complaints) {
  const json::value* value = find(config, key);
  if (value == nullptr) return;
  if (value->is_bool())
    to = value->as_bool();
  else
    complaints.add("{} is {}, wanted true or false", key, written(*value));
}

// Steps that herd always does, and those it never does.
void check_steps(const json::object& config, Complaints& complaints) {
  for (const auto& [name, value] : config) {
    const std::string_view key = name;
    if (!key.starts_with("do_") || value.is_null()) continue;
    const bool always = key == "do_resize" || key == "do_rescale" || key == "do_normalize" ||
                        key == "do_convert_rgb";
    if (!value.is_bool() || value.as_bool() != always)
      complaints.add("{} is {}, wanted {}", shown(key), written(value), always);
  }
}

void check_arithmetic(const json::value& config, Complaints& complaints) {
  if (const json::value* factor = find(config, "rescale_factor")) {
    boost::system::error_code error;
    const double number = factor->to_number<double>(error);
    if (error || std::abs(number * 255.0 - 1.0) > 1e-6)
      complaints.add("rescale_factor is {}, wanted 1/255", written(*factor));
  }
  if (const json::value* filter = find(config, "resample")) {
    const bool bilinear = (filter->is_number() && *filter == 2) ||
                          (filter->is_string() && filter->as_string() == "bilinear");
    if (!bilinear) complaints.add("resample is {}, wanted 2 (bilinear)", written(*filter));
  }
}

}  // namespace

Result<PreprocessOptions> read_preprocess_options(const json::value& config) {
  const json::value* own = find(config, "image_processor");
  const json::value& facts = own != nullptr ? *own : config;
  if (!facts.is_object())
    return fail(Code::config_invalid, "preprocessor configuration: {}, wanted an object",
                written(facts));
  PreprocessOptions options;
  Complaints complaints;
  read_side(facts, options.tile_side, complaints);
  read_count(facts, "max_patches", limits::image_tiles_max, options.tiles_max, complaints);
  read_switch(facts, "resize_to_max_canvas", options.resize_to_max_canvas, complaints);
  read_channels(facts, "image_mean", false, options.mean, complaints);
  read_channels(facts, "image_std", true, options.deviation, complaints);
  check_steps(facts.as_object(), complaints);
  check_arithmetic(facts, complaints);
  if (!complaints.text.empty())
    return fail(Code::config_invalid, "preprocessor configuration: {}", complaints.text);
  return options;
}

}  // namespace herd::media
