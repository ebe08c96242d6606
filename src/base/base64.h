// Base64 (RFC 4648 section 4), strictly: its alphabet alone, padding included, no bits that belong to no byte.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace herd {

struct Base64 {
  std::vector<std::byte> bytes;
  // The offset of the first character that is wrong; `bytes` mean nothing then.
  std::optional<std::size_t> bad_at;
};

Base64 decode_base64(std::string_view text);

}  // namespace herd
