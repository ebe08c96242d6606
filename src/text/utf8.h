// UTF-8 as the tokenizer sees it: any bytes are text. A well-formed sequence (Unicode 16, table 3-7) is one character;
// every byte that belongs to none is one character by itself. That is what Python's "surrogateescape" makes of the same
// bytes, so both sides of a comparison with the reference tokenizers cut hostile text at the same places.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace herd::text {

// One character read from bytes. `size` is 1 to 4; an ill-formed byte has size 1 and `code_point` = not_a_character.
struct Character {
  static constexpr char32_t not_a_character = 0xFFFFFFFF;
  char32_t code_point;
  std::uint32_t size;
};

// The character that begins at `p`; p < end.
inline Character character_at(const unsigned char* p, const unsigned char* end) {
  constexpr Character ill_formed{Character::not_a_character, 1};
  const auto continues = [](unsigned char byte) { return (byte & 0xC0) == 0x80; };
  const unsigned char a = p[0];
  const auto left = end - p;
  if (a < 0x80) return {a, 1};
  if (a < 0xC2 || a > 0xF4) return ill_formed;
  if (left < 2 || !continues(p[1])) return ill_formed;
  if (a < 0xE0) return {char32_t(a & 0x1F) << 6 | char32_t(p[1] & 0x3F), 2};
  if (left < 3 || !continues(p[2])) return ill_formed;
  if (a < 0xF0) {
    const char32_t c =
        char32_t(a & 0x0F) << 12 | char32_t(p[1] & 0x3F) << 6 | char32_t(p[2] & 0x3F);
    if (c < 0x800 || (c >= 0xD800 && c < 0xE000)) return ill_formed;  // overlong, surrogate
    return {c, 3};
  }
  if (left < 4 || !continues(p[3])) return ill_formed;
  const char32_t c = char32_t(a & 0x07) << 18 | char32_t(p[1] & 0x3F) << 12 |
                     char32_t(p[2] & 0x3F) << 6 | char32_t(p[3] & 0x3F);
  if (c < 0x10000 || c > 0x10FFFF) return ill_formed;
  return {c, 4};
}

// Byte offset of the first byte that is not part of a well-formed sequence; none when all of `bytes` is UTF-8.
std::optional<std::size_t> first_invalid_utf8(std::string_view bytes);

// Number of bytes at the end of `bytes` (0 to 3) that begin a well-formed sequence but do not complete it.
std::size_t incomplete_tail(std::string_view bytes);

// Every maximal run of bytes that cannot be completed becomes one U+FFFD, as the WHATWG and Python's "replace" do.
std::string replace_invalid_utf8(std::string_view bytes);

}  // namespace herd::text
