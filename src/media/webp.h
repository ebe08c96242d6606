// WebP through libwebp: lossy, lossless, with alpha; of an animation the first frame.
#pragma once

#include <cstddef>
#include <span>

#include "media/image.h"

namespace herd::media {

// Width and height of the canvas, rgb left empty.
Result<Image> read_webp_header(std::span<const std::byte> bytes);

// Alpha, and the canvas outside an animation's first frame, are laid over white. Fails with image_corrupt.
Result<StoredImage> decode_webp(std::span<const std::byte> bytes);

}  // namespace herd::media
