// Cuts text into the pieces that byte-pair encoding works on: the split of Llama 4 and o200k (spec/llama4.md 4.1).
//
// The pattern is a regular expression of seven alternatives, tried in order with backtracking. Here it is a
// hand-written scanner: no alternative needs more than to remember one position, so every character is looked at a
// bounded number of times and no input makes it slow (the reference engines go quadratic, or give up, on long runs).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace herd::text {

// End of the piece that begins at byte `begin` of `text`; begin < text.size() and begin is where a piece ends or 0.
// Pieces follow each other without a gap: every character belongs to one of the alternatives.
// The end of `text` counts as the end of the input (the pattern looks one character ahead after spaces).
std::size_t piece_end(std::string_view text, std::size_t begin);

// Characters looked at while `text` is cut whole; for the test that the scanner is linear.
std::uint64_t split_work(std::string_view text);

}  // namespace herd::text
