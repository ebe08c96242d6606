#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/json_text.h"

namespace herd::cli {

Result<void> print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0)
    return fail(Code::io_failed, "stdout: {}", std::strerror(errno));
  return {};
}

Result<void> print_said(std::string_view text) {
  return ::isatty(STDOUT_FILENO) == 1 ? print(harmless(text)) : print(text);
}

std::string harmless(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters too, two bytes each.
    const bool second =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    const bool first = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
    if (first || second)
      out += "\xef\xbf\xbd";
    else
      out += text[i];
    i += second;
  }
  return out;
}

Result<void> print_json(const json::value& value) { return print(json_text(value) + "\n"); }

std::string grouped(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

}  // namespace herd::cli
