#include "server/random_id.h"

#include <sys/random.h>

#include <array>
#include <span>

#include "base/check.h"

namespace herd::server {

std::string random_id(std::string_view prefix, std::size_t bytes) {
  std::array<unsigned char, 64> random{};
  HERD_CHECK(bytes <= random.size(), "{} bytes", bytes);
  std::size_t got = 0;
  while (got < bytes) {
    const ssize_t n = ::getrandom(random.data() + got, bytes - got, 0);
    if (n > 0) got += static_cast<std::size_t>(n);
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string id(prefix);
  for (const unsigned char byte : std::span(random).first(bytes)) {
    id += digits[byte >> 4];
    id += digits[byte & 15];
  }
  return id;
}

}  // namespace herd::server
