// Any text as config.json, params.json and generation_config.json: refused with a reason, or sizes within the limits
// that agree with each other, which is what the model builds on.
#include "base/bytes.h"
#include "base/check.h"
#include "base/json.h"
#include "base/limits.h"
#include "llama4/config.h"

namespace {

void check_config(const herd::llama4::Config& config) {
  using namespace herd;
  const llama4::TextConfig& text = config.text;
  const auto within = [](std::int64_t value, std::uint64_t limit) {
    return value > 0 && static_cast<std::uint64_t>(value) <= limit;
  };
  HERD_CHECK(within(text.layers, limits::layers_max) && within(text.width, limits::width_max) &&
             within(text.vocabulary, limits::vocabulary_max));
  HERD_CHECK(text.heads > 0 && text.key_value_heads > 0 && text.heads % text.key_value_heads == 0);
  HERD_CHECK(text.head_size > 0 && text.head_size % 2 == 0);
  HERD_CHECK(std::ssize(text.is_moe) == text.layers && std::ssize(text.rotates) == text.layers);
  for (const bool moe : text.is_moe)
    HERD_CHECK(!moe || (text.experts_per_token > 0 && text.experts_per_token <= text.experts &&
                        within(text.experts, limits::experts_max)));
  HERD_CHECK(text.norm_eps >= 0 && text.rope_theta > 0);
  if (!config.vision) return;
  HERD_CHECK(config.vision->patch_size > 0 &&
             config.vision->image_size % config.vision->patch_size == 0);
  HERD_CHECK(config.vision->tokens_per_tile() > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const auto value = parse_json(text_of(std::span(data, size)));
  if (!value) {
    HERD_CHECK(!value.error().message.empty());
    return 0;
  }
  for (const auto& read :
       {llama4::config_from_hugging_face(*value), llama4::config_from_meta(*value)}) {
    if (!read) {
      HERD_CHECK(!read.error().message.empty());
      continue;
    }
    check_config(*read);
    llama4::Config config = *read;
    if (llama4::apply_generation_config(config, *value)) check_config(config);
  }
  return 0;
}
