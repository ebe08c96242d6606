// What the tokenizer's split asks of a character: letter, number, space, and which of the two letter runs it may stand
// in.
#pragma once

#include <array>
#include <cstdint>

#include "text/utf8.h"

namespace herd::text {

// Flags of a character, after the classes of the split pattern (spec/llama4.md 4.1). An ill-formed byte has none.
namespace flag {
inline constexpr std::uint8_t in_upper_run = 1;  // Lu Lt Lm Lo M
inline constexpr std::uint8_t in_lower_run = 2;  // Ll Lm Lo M
inline constexpr std::uint8_t letter = 4;        // L
inline constexpr std::uint8_t number = 8;        // N
inline constexpr std::uint8_t space = 16;        // White_Space, what \s means
inline constexpr std::uint8_t newline = 32;      // \r and \n; also space
}  // namespace flag

// Index of a class in unicode_ranges.h -> its flags: other, Lu|Lt, Ll, Lm|Lo, M, N, \s without newlines, \r|\n.
inline constexpr std::array<std::uint8_t, 8> class_flags{
    0,
    flag::in_upper_run | flag::letter,
    flag::in_lower_run | flag::letter,
    flag::in_upper_run | flag::in_lower_run | flag::letter,
    flag::in_upper_run | flag::in_lower_run,
    flag::number,
    flag::space,
    flag::space | flag::newline};

// Flags of any code point; 0 for values that are none.
std::uint8_t flags_of(char32_t code_point);

// Index of its class, 0 to 7; for tests that compare the whole table with the reference.
int class_of(char32_t code_point);

}  // namespace herd::text
