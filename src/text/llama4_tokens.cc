#include "text/llama4_tokens.h"

#include <fmt/format.h>

namespace herd::text {

std::vector<std::string> llama4_special_tokens() {
  std::vector<std::string> names{
      "<|begin_of_text|>", "<|end_of_text|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
      "<|header_start|>",  "<|header_end|>",  "<|eom|>",        "<|eot|>",        "<|step|>"};
  const auto reserve = [&](std::string_view group, int first, int last) {
    for (int i = first; i <= last; ++i)
      names.push_back(fmt::format("<|{}reserved_special_token_{}|>", group, i));
  };
  const auto add = [&](std::initializer_list<const char*> list) {
    names.insert(names.end(), list.begin(), list.end());
  };
  reserve("text_post_train_", 0, 5);
  add({"<|python_start|>", "<|python_end|>", "<|finetune_right_pad|>"});
  reserve("text_post_train_", 8, 68);
  add({"<|image_start|>", "<|image_end|>"});
  reserve("vision_", 0, 1);
  add({"<|tile_x_separator|>", "<|tile_y_separator|>"});
  reserve("vision_", 2, 5);
  add({"<|image|>"});
  reserve("vision_", 6, 6);
  add({"<|patch|>"});
  reserve("vision_", 7, 1047);
  reserve("reasoning_", 0, 7);
  add({"<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>"});
  reserve("", 0, 2047 - static_cast<int>(names.size()));
  return names;
}

std::vector<std::string> llama4_short_special_tokens() {
  const std::vector<std::string> all = llama4_special_tokens();
  std::vector<std::string> names(all.begin(), all.begin() + 19);
  names.insert(names.end(), all.begin() + 80, all.begin() + 93);
  return names;
}

}  // namespace herd::text
