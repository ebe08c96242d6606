#include "base/result.h"

namespace herd {

std::string to_string(const Error& error) {
  std::string text = fmt::format("error[{}]: {}", row_of(error.code).number, error.message);
  if (!error.hint.empty()) text += fmt::format("\nhint: {}", error.hint);
  return text;
}

std::string shown(std::string_view text) {
  constexpr std::size_t shown_max = 64;
  std::string out = "'";
  for (char c : text.substr(0, shown_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  out += text.size() > shown_max ? "…'" : "'";
  return out;
}

}  // namespace herd
