// PNG through libpng: every colour type and depth, palettes, transparency, interlacing.
#pragma once

#include <cstddef>
#include <span>

#include "media/image.h"

namespace herd::media {

// Width and height from IHDR, rgb left empty.
Result<Image> read_png_header(std::span<const std::byte> bytes);

// Sixteen-bit samples keep their high byte; gamma and colour profiles are not applied (both as in Pillow); alpha and
// tRNS are laid over white. Fails with image_corrupt, down to a missing end chunk.
Result<StoredImage> decode_png(std::span<const std::byte> bytes);

}  // namespace herd::media
