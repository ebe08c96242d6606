#include "cli/json_lines.h"

#include <algorithm>

#include "base/json.h"

namespace herd::cli {

Result<void> each_text(std::string_view name, std::string_view all, std::string_view part,
                       std::string_view field, const std::function<void(std::string_view)>& take) {
  for (std::size_t begin = 0, end = 0; begin < part.size(); begin = end + 1) {
    end = std::min(part.find('\n', begin), part.size());
    const std::string_view line = part.substr(begin, end - begin);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto where = [&] {
      return fmt::format("{}, line {}", name, 1 + std::count(all.data(), line.data(), '\n'));
    };
    auto value = parse_json(line);
    if (!value) return std::unexpected(std::move(value).error().in(where()));
    const json::value* member = find(*value, field);
    if (member == nullptr || !member->is_string())
      return fail(Code::invalid_json, "{}: {}, wanted an object with a text {}", where(),
                  member == nullptr ? "no such member" : "the member is no text", shown(field));
    const json::string& text = member->get_string();
    take(std::string_view(text.data(), text.size()));
  }
  return {};
}

}  // namespace herd::cli
