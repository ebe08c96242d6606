// From a picture to the tiles that the vision encoder reads (spec 3.5). The arithmetic is that of Meta's reference
// code; where Hugging Face's differs, this header says so.
//
// Letters: R, C rows and columns of the canvas in tiles; S side of a tile in pixels.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/json.h"
#include "media/image.h"

namespace herd::media {

// How a model wants its pictures: the facts of preprocessor_config.json.
struct PreprocessOptions {
  std::int64_t tile_side = 336;                 // S, in pixels
  std::int64_t tiles_max = 16;                  // R * C, the global tile not counted
  bool resize_to_max_canvas = false;            // enlarge small pictures as far as tiles_max allows
  std::array<float, 3> mean{0.5f, 0.5f, 0.5f};  // red, green, blue; of values in 0 to 1
  std::array<float, 3> deviation{0.5f, 0.5f, 0.5f};
};

// Reads preprocessor_config.json, or the "image_processor" member of transformers 5's processor_config.json. Absent
// members keep Llama 4's defaults. Fails with config_invalid and lists every value that herd does not do as asked: no
// resizing, another filter than bilinear, another rescale factor than 1/255, tiles that are not square, a step that is
// switched on and unknown here.
Result<PreprocessOptions> read_preprocess_options(const json::value& config);

// Where a picture goes: the canvas of R x C tiles, and its own size on it, in the top left corner.
struct Tiling {
  std::int64_t rows = 1;     // R
  std::int64_t columns = 1;  // C
  std::int64_t resized_width = 0;
  std::int64_t resized_height = 0;

  // Tiles with the global one, which exists when the canvas has more than one.
  [[nodiscard]] std::int64_t tiles() const { return rows * columns > 1 ? rows * columns + 1 : 1; }

  friend bool operator==(const Tiling&, const Tiling&) = default;
};

// width, height of the picture in pixels, at least 1. Scales are compared in float32 and sizes computed in float64, as
// Meta does. Hugging Face computes the sizes in float32 where the canvas limits them: about 1 size in 6,000 then
// differs by one pixel (spec D23), never the canvas.
Tiling choose_tiling(std::int64_t width, std::int64_t height, const PreprocessOptions& options);

struct Tiles {
  Tiling tiling;
  std::int64_t side = 0;      // S
  std::vector<float> pixels;  // [tiles, 3, S, S]: the canvas row by row, then the global tile
};

// Resizes, pads with 0 to the right and below, cuts, and adds the whole picture stretched to S x S as the global tile;
// every byte v becomes (v / 255 - mean) / deviation in float32. (Hugging Face rounds to bfloat16 after each of the
// three steps, which moves 128 of 256 values by up to 0.0039; Meta rounds once, after the last.)
Tiles preprocess(const Image& image, const PreprocessOptions& options);

}  // namespace herd::media
