#include "cli/output.h"

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

Result<void> print_json(const json::value& value) { return print(json_text(value) + "\n"); }

std::string grouped(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

}  // namespace herd::cli
