// What goes into the model: token ids, and the pictures whose vectors stand in for some of them.
#pragma once

#include <cstdint>
#include <vector>

namespace herd::engine {

// A picture cut into tiles and normalised, as the vision encoder wants it.
struct Picture {
  std::int64_t tiles = 0;
  std::int64_t side = 0;      // of a tile, pixels
  std::vector<float> pixels;  // [tiles, 3, side, side]
};

struct Prompt {
  std::vector<std::int32_t> tokens;
  std::vector<Picture> pictures;
  // Where picture vectors go: indices into tokens, ascending; tiles of all pictures in order, each tile's vectors row
  // by row. They come from whoever laid out the pictures, never from ids in a user's text.
  std::vector<std::int64_t> patches;
};

}  // namespace herd::engine
