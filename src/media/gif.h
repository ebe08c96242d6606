// GIF through giflib: the first frame on the logical screen.
#pragma once

#include <cstddef>
#include <span>

#include "media/image.h"

namespace herd::media {

// Width and height of the screen, widened where the first frame reaches over its edge; rgb left empty.
Result<Image> read_gif_header(std::span<const std::byte> bytes);

// Transparent pixels, and the screen outside the frame, become white: that is what a browser shows on a white page.
// (The format's background colour is ignored by viewers; Pillow fills with colour 0 where no colour is transparent.)
// Fails with image_corrupt. Frames after the first are not read.
Result<Image> decode_gif(std::span<const std::byte> bytes);

}  // namespace herd::media
