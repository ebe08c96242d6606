#include "server/prompt_reader.h"

#include "text/utf8.h"

namespace herd::server {
namespace {

std::vector<std::int32_t> read_ids(const json::array& list, const std::string& path,
                                   std::int32_t vocabulary, Problem& problem) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < list.size() && !problem; ++i) {
    const json::value& value = list[i];
    if (!value.is_int64() || value.get_int64() < 0 || value.get_int64() >= vocabulary)
      problem.set(
          "invalid_value",
          fmt::format("'{}' is no token id, wanted 0 to {}", item_path(path, i), vocabulary - 1),
          item_path(path, i));
    else
      ids.push_back(static_cast<std::int32_t>(value.get_int64()));
  }
  if (list.empty()) problem.set("empty_array", fmt::format("'{}' is empty", path), path);
  return ids;
}

}  // namespace

std::vector<PlainPrompt> read_plain_prompts(Fields& fields, std::string_view name,
                                            const engine::Bundle& bundle, std::size_t count_max) {
  std::vector<PlainPrompt> prompts;
  const auto add_text = [&](std::string_view text) {
    prompts.push_back({bundle.raw_prompt(text).tokens, std::string(text)});
  };
  const auto add_ids = [&](const json::array& list, const std::string& path) {
    auto ids = read_ids(list, path, bundle.tokenizer.size(), fields.problem());
    std::string text = text::replace_invalid_utf8(bundle.tokenizer.decode(ids, true));
    prompts.push_back({std::move(ids), std::move(text)});
  };
  const auto wrong = [&](const json::value& value, const std::string& path) {
    fields.problem().set(
        "invalid_type", fmt::format("'{}' is {}, wanted a text or token ids", path, kind_of(value)),
        path);
  };
  const json::value* given = fields.any(name);
  if (given == nullptr) {
    fields.require(name);
  } else if (given->is_string()) {
    add_text(text_of(*given));
  } else if (!given->is_array()) {
    wrong(*given, std::string(name));
  } else if (const json::array& list = given->get_array(); list.empty() || list[0].is_number()) {
    add_ids(list, std::string(name));
  } else if (list.size() > count_max) {
    fields.wrong(name, "array_above_max_length",
                 fmt::format("'{}' has {} items, at most {}", name, list.size(), count_max));
  } else {
    for (std::size_t i = 0; i < list.size() && !fields.problem(); ++i) {
      const std::string path = item_path(name, i);
      if (list[i].is_string())
        add_text(text_of(list[i]));
      else if (list[i].is_array())
        add_ids(list[i].get_array(), path);
      else
        wrong(list[i], path);
    }
  }
  return prompts;
}

}  // namespace herd::server
