#include "media/preprocess.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "media/resize.h"

namespace herd::media {

namespace {

struct Size {
  std::int64_t width = 0;
  std::int64_t height = 0;
};

// The canvas on which the picture keeps most of its pixels: of those that hold it whole the one with the smallest
// scale, else the one with the largest; of equal scales the smallest area. That one is unique: two canvases of equal
// scale and area, R x C and R' x C' with R < R', would make R x C' a candidate of the same scale and less area.
Size choose_canvas(Size picture, const PreprocessOptions& options) {
  Size best;
  float best_scale = 0.0f;
  for (std::int64_t rows = 1; rows <= options.tiles_max; ++rows) {
    for (std::int64_t columns = 1; rows * columns <= options.tiles_max; ++columns) {
      const Size canvas{columns * options.tile_side, rows * options.tile_side};
      const float scale =
          std::min(static_cast<float>(canvas.height) / static_cast<float>(picture.height),
                   static_cast<float>(canvas.width) / static_cast<float>(picture.width));
      const bool holds = scale >= 1.0f;
      const bool best_holds = best_scale >= 1.0f;
      bool better = false;
      if (scale == best_scale)
        better = canvas.width * canvas.height < best.width * best.height;
      else if (holds && best_holds)
        better = (scale < best_scale) != options.resize_to_max_canvas;
      else
        better = scale > best_scale;
      if (better) {
        best = canvas;
        best_scale = scale;
      }
    }
  }
  return best;
}

// The largest size of the picture's proportions inside the box; at least one pixel.
Size fit(Size picture, Size box) {
  const double by_width = static_cast<double>(box.width) / static_cast<double>(picture.width);
  const double by_height = static_cast<double>(box.height) / static_cast<double>(picture.height);
  Size out = box;
  if (by_width < by_height)
    out.height = std::min(
        static_cast<std::int64_t>(std::floor(static_cast<double>(picture.height) * by_width)),
        box.height);
  else
    out.width = std::min(
        static_cast<std::int64_t>(std::floor(static_cast<double>(picture.width) * by_height)),
        box.width);
  return {std::max<std::int64_t>(out.width, 1), std::max<std::int64_t>(out.height, 1)};
}

// (v / 255 - mean) / deviation for every byte, in float32 and in this order.
std::array<std::array<float, 256>, 3> values(const PreprocessOptions& options) {
  std::array<std::array<float, 256>, 3> out{};
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t v = 0; v < 256; ++v)
      out[c][v] = (static_cast<float>(v) / 255.0f - options.mean[c]) / options.deviation[c];
  return out;
}

// Writes `image` onto the canvas of `columns` tiles a row, of which `pixels` is [tiles, 3, S, S].
void paste(const Image& image, std::int64_t columns, std::int64_t side,
           const std::array<std::array<float, 256>, 3>& value, float* pixels) {
  for (std::int64_t y = 0; y < image.height; ++y) {
    const std::uint8_t* from = image.rgb.data() + y * image.width * 3;
    for (std::int64_t x = 0; x < image.width; x += side) {
      const std::int64_t count = std::min(side, image.width - x);
      const std::int64_t tile = y / side * columns + x / side;
      float* const red = pixels + tile * 3 * side * side + y % side * side;
      float* const green = red + side * side;
      float* const blue = green + side * side;
      for (std::int64_t i = 0; i < count; ++i, from += 3) {
        red[i] = value[0][from[0]];
        green[i] = value[1][from[1]];
        blue[i] = value[2][from[2]];
      }
    }
  }
}

}  // namespace

Tiling choose_tiling(std::int64_t width, std::int64_t height, const PreprocessOptions& options) {
  HERD_CHECK(width >= 1 && height >= 1, "the picture is {}x{}", width, height);
  HERD_CHECK(options.tile_side >= 1 && options.tiles_max >= 1, "{} tiles of {}", options.tiles_max,
             options.tile_side);
  const Size picture{width, height};
  const Size canvas = choose_canvas(picture, options);
  // Nothing grows beyond its own size or one tile's side, unless the options ask for it.
  Size box = canvas;
  if (!options.resize_to_max_canvas)
    box = {std::min(std::max(width, options.tile_side), canvas.width),
           std::min(std::max(height, options.tile_side), canvas.height)};
  const Size resized = fit(picture, box);
  return {canvas.height / options.tile_side, canvas.width / options.tile_side, resized.width,
          resized.height};
}

Tiles preprocess(const Image& image, const PreprocessOptions& options) {
  const std::int64_t side = options.tile_side;
  const std::int64_t tile_floats = 3 * side * side;
  Tiles out{choose_tiling(image.width, image.height, options), side, {}};
  out.pixels.resize(static_cast<std::size_t>(out.tiling.tiles() * tile_floats));

  const auto value = values(options);
  for (std::int64_t plane = 0; plane < out.tiling.tiles() * 3; ++plane)
    std::fill_n(out.pixels.data() + plane * side * side, side * side,
                value[static_cast<std::size_t>(plane % 3)][0]);
  const Tiling& tiling = out.tiling;
  paste(resize_bilinear(image, tiling.resized_width, tiling.resized_height), tiling.columns, side,
        value, out.pixels.data());
  if (tiling.tiles() > 1)
    paste(resize_bilinear(image, side, side), 1, side, value,
          out.pixels.data() + tiling.rows * tiling.columns * tile_floats);
  return out;
}

}  // namespace herd::media
