// Byte-pair encoding of one piece of text: starting from single bytes, the two neighbours of lowest rank are joined,
// the leftmost of equals first, until no pair can be joined.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/merges.h"
#include "text/vocabulary.h"

namespace herd::text {

// Appends the tokens of `piece` (not empty) to `out`. Time grows with the length of the piece, not with its square:
// long pieces are encoded window by window and sewn together (see bpe.cc for why that is exact). `work`, when given, is
// increased by the number of bytes that were encoded, those encoded twice counted twice.
void encode_piece(const Vocabulary& vocabulary, const MergeTable& merges, std::string_view piece,
                  std::vector<std::int32_t>& out, std::uint64_t* work = nullptr);

// The definition: all pairs compared after every merge. Quadratic; for tests.
void encode_piece_naive(const Vocabulary& vocabulary, const MergeTable& merges,
                        std::string_view piece, std::vector<std::int32_t>& out);

}  // namespace herd::text
