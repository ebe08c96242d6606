// The alphabet in which tokenizer.json writes bytes: printable Latin-1 bytes stand for themselves, the other 68 for
// U+0100 onwards. And the order of the single bytes in Llama 4's vocabulary.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace herd::text {

// The byte of ids 0 to 255 (spec/llama4.md 4.1).
const std::array<unsigned char, 256>& llama4_bytes();

// `bytes` in the alphabet, as UTF-8.
std::string in_alphabet(std::string_view bytes);

// The bytes that a token of the alphabet stands for; none when it has another character in it.
std::optional<std::string> bytes_from_alphabet(std::string_view token);

}  // namespace herd::text
