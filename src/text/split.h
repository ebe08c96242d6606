// Cuts text into the pieces that byte-pair encoding works on: the split of Llama 4 and o200k (spec/llama4.md 4.1), and
// the one variant of it that herd's own models use, where every digit is a piece.
//
// The pattern is a regular expression of seven alternatives, tried in order with backtracking. Here it is a
// hand-written scanner: no alternative needs more than to remember one position, so every character is looked at a
// bounded number of times and no input makes it slow (the reference engines go quadratic, or give up, on long runs).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace herd::text {

enum class Split : std::uint8_t {
  none,           // the whole text is one piece
  llama4,         // numbers in groups of up to three characters
  single_digits,  // every character of a number by itself, all else as Llama 4
};

// End of the piece that begins at byte `begin` of `text`; begin < text.size() and begin is where a piece ends or 0.
// Pieces follow each other without a gap: every character belongs to one of the alternatives.
// The end of `text` counts as the end of the input (the pattern looks one character ahead after spaces).
std::size_t piece_end(std::string_view text, std::size_t begin, Split split = Split::llama4);

// Where `text` may be cut at `at` or later so that the parts, split one by one, give the pieces of the whole: between a
// newline and an ASCII letter or digit, which no alternative joins. text.size() when there is no such place.
std::size_t safe_cut(std::string_view text, std::size_t at);

// Characters looked at while `text` is cut whole by Llama 4's split; for the test that the scanner is linear.
std::uint64_t split_work(std::string_view text);

}  // namespace herd::text
