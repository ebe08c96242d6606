// The characters that a string of JSON holds as they are: whole, in UTF-8, no quote, backslash or control character.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace herd::grammar {

struct ByteRange {
  std::uint8_t lo = 0;
  std::uint8_t hi = 0;
};

// One kind of character: a range for each of its bytes.
using PlainCharacter = std::span<const ByteRange>;

namespace plain {
inline constexpr ByteRange ascii1[]{{0x20, 0x21}};
inline constexpr ByteRange ascii2[]{{0x23, 0x5B}};
inline constexpr ByteRange ascii3[]{{0x5D, 0x7F}};
inline constexpr ByteRange two[]{{0xC2, 0xDF}, {0x80, 0xBF}};
inline constexpr ByteRange three1[]{{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}};
inline constexpr ByteRange three2[]{{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}};
inline constexpr ByteRange three3[]{{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}};
inline constexpr ByteRange three4[]{{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}};
inline constexpr ByteRange four1[]{{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}};
inline constexpr ByteRange four2[]{{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}};
inline constexpr ByteRange four3[]{{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}};
}  // namespace plain

inline constexpr std::array<PlainCharacter, 11> plain_characters{
    plain::ascii1, plain::ascii2, plain::ascii3, plain::two,   plain::three1, plain::three2,
    plain::three3, plain::three4, plain::four1,  plain::four2, plain::four3};

}  // namespace herd::grammar
