// Documents cut into pieces that a model can take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace herd::train {

struct Piece {
  std::size_t begin = 0;  // its first token
  std::size_t length = 0;
  std::uint32_t part = 0;  // where that is: a file, a shard
};

// Appends the pieces of tokens [begin, end), each of at most `length_max`, 2 at least. A piece begins with the token
// that the one before ended with, so every token but the first is predicted once.
inline void append_pieces(std::size_t begin, std::size_t end, std::size_t length_max,
                          std::uint32_t part, std::vector<Piece>& pieces) {
  for (; begin + 1 < end; begin += length_max - 1) {
    const std::size_t length = end - begin < length_max ? end - begin : length_max;
    pieces.push_back({begin, length, part});
  }
}

}  // namespace herd::train
