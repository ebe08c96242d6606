#include "text/byte_alphabet.h"

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "text/utf8.h"

namespace herd::text {
namespace {

struct Alphabet {
  std::array<std::int16_t, 0x144> byte_of{};
  std::array<std::uint16_t, 256> character_of{};

  constexpr Alphabet() {
    byte_of.fill(-1);
    int next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte < 0x100 && byte != 0xAD);
      const int character = printable ? byte : next++;
      byte_of[static_cast<std::size_t>(character)] = static_cast<std::int16_t>(byte);
      character_of[static_cast<std::size_t>(byte)] = static_cast<std::uint16_t>(character);
    }
  }
};
constexpr Alphabet alphabet;

// One range after the other, both ends included.
constexpr std::array<std::pair<int, int>, 9> byte_ranges{{{0xC0, 0xC1},
                                                          {0xF5, 0xFF},
                                                          {0x21, 0x7E},
                                                          {0xA1, 0xAC},
                                                          {0xAE, 0xBF},
                                                          {0xC2, 0xF4},
                                                          {0x00, 0x20},
                                                          {0x7F, 0xA0},
                                                          {0xAD, 0xAD}}};

}  // namespace

const std::array<unsigned char, 256>& llama4_bytes() {
  static const std::array<unsigned char, 256> bytes = [] {
    std::array<unsigned char, 256> out{};
    std::size_t id = 0;
    for (const auto& [first, last] : byte_ranges)
      for (int byte = first; byte <= last; ++byte) out[id++] = static_cast<unsigned char>(byte);
    HERD_CHECK(id == out.size(), "{} bytes", id);
    return out;
  }();
  return bytes;
}

std::string in_alphabet(std::string_view bytes) {
  std::string out;
  for (const unsigned char byte : octets_of(bytes)) {
    const unsigned character = alphabet.character_of[byte];
    if (character < 0x80) {
      out += static_cast<char>(character);
    } else {
      out += static_cast<char>(0xC0 | character >> 6);
      out += static_cast<char>(0x80 | (character & 0x3F));
    }
  }
  return out;
}

std::optional<std::string> bytes_from_alphabet(std::string_view token) {
  std::string bytes;
  const auto* p = octets_of(token).data();
  const auto* end = p + token.size();
  while (p < end) {
    const Character c = character_at(p, end);
    if (c.code_point >= alphabet.byte_of.size()) return std::nullopt;
    const std::int16_t byte = alphabet.byte_of[c.code_point];
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
    p += c.size;
  }
  return bytes;
}

}  // namespace herd::text
