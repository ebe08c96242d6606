#include "base/base64.h"

#include <array>
#include <cstdint>

namespace herd {
namespace {

constexpr std::array<std::int8_t, 256> values_of_characters = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}();

}  // namespace

Base64 decode_base64(std::string_view text) {
  const std::size_t end = text.find_last_not_of('=') + 1;
  if (text.size() % 4 != 0 || text.size() - end > 2) return {{}, end};
  Base64 out;
  out.bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (std::size_t i = 0; i < end; ++i) {
    const int value = values_of_characters[static_cast<unsigned char>(text[i])];
    if (value < 0) return {{}, i};
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.bytes.push_back(static_cast<std::byte>(bits >> held & 0xff));
  }
  if ((bits & ((1u << held) - 1)) != 0) return {{}, end - 1};  // bits that belong to no byte
  return out;
}

}  // namespace herd
