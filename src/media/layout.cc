#include "media/layout.h"

#include "base/check.h"

namespace herd::media {

std::string_view token_of(LayoutSymbol symbol) {
  switch (symbol) {
    case LayoutSymbol::image_start:
      return "<|image_start|>";
    case LayoutSymbol::patch:
      return "<|patch|>";
    case LayoutSymbol::tile_x_separator:
      return "<|tile_x_separator|>";
    case LayoutSymbol::tile_y_separator:
      return "<|tile_y_separator|>";
    case LayoutSymbol::image:
      return "<|image|>";
    case LayoutSymbol::image_end:
      return "<|image_end|>";
  }
  HERD_CHECK(false, "symbol {}", static_cast<int>(symbol));
}

std::vector<LayoutItem> image_layout(std::int64_t rows, std::int64_t columns,
                                     std::int64_t tokens_per_tile) {
  HERD_CHECK(rows >= 1 && columns >= 1 && tokens_per_tile >= 1, "{}x{} tiles of {}", rows, columns,
             tokens_per_tile);
  std::vector<LayoutItem> layout{{LayoutSymbol::image_start}};
  for (std::int64_t row = 0; rows * columns > 1 && row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      if (column > 0) layout.push_back({LayoutSymbol::tile_x_separator});
      layout.push_back({LayoutSymbol::patch, tokens_per_tile});
    }
    layout.push_back({LayoutSymbol::tile_y_separator});
  }
  layout.push_back({LayoutSymbol::image});
  layout.push_back({LayoutSymbol::patch, tokens_per_tile});
  layout.push_back({LayoutSymbol::image_end});
  return layout;
}

std::int64_t layout_tokens(const std::vector<LayoutItem>& layout) {
  std::int64_t tokens = 0;
  for (const LayoutItem& item : layout) tokens += item.count;
  return tokens;
}

std::string layout_text(const std::vector<LayoutItem>& layout) {
  std::string text;
  for (const LayoutItem& item : layout)
    for (std::int64_t i = 0; i < item.count; ++i) text += token_of(item.symbol);
  return text;
}

}  // namespace herd::media
