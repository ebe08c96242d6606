// The order of special tokens that a tiled picture becomes in a prompt (spec 3.6), free of token ids: the tokenizer's
// owner maps each symbol to an id, and the vision features replace the patches in this order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace herd::media {

enum class LayoutSymbol {
  image_start,
  patch,             // one vector of the vision encoder
  tile_x_separator,  // between tiles of a row
  tile_y_separator,  // after every row of tiles, the last one too
  image,             // before the global tile, or the only one
  image_end,
};

// The symbol `count` times.
struct LayoutItem {
  LayoutSymbol symbol = LayoutSymbol::patch;
  std::int64_t count = 1;

  friend bool operator==(const LayoutItem&, const LayoutItem&) = default;
};

// "<|patch|>": the symbol's name in the vocabulary.
std::string_view token_of(LayoutSymbol symbol);

// rows, columns of the canvas in tiles; tokens_per_tile patches stand for each tile, 144 in released models.
// One tile: start, image, patches, end. More: start, the tiles row by row with their separators, then image, the
// patches of the global tile, end.
std::vector<LayoutItem> image_layout(std::int64_t rows, std::int64_t columns,
                                     std::int64_t tokens_per_tile);

// Tokens in all: for N = rows * columns > 1 tiles of 144 that is 147 + 145 N.
std::int64_t layout_tokens(const std::vector<LayoutItem>& layout);

// The placeholder text with every repetition written out, as Llama4Processor puts it into a prompt.
std::string layout_text(const std::vector<LayoutItem>& layout);

}  // namespace herd::media
