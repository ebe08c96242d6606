// JPEG through libjpeg-turbo: baseline, extended and progressive; gray, YCbCr, RGB, CMYK and YCCK.
#pragma once

#include <cstddef>
#include <span>

#include "media/image.h"

namespace herd::media {

// Width and height as stored, rgb left empty. Reads no further than the first scan's header.
Result<Image> read_jpeg_header(std::span<const std::byte> bytes);

// Fails with image_unsupported for kinds that few decoders know (lossless, 12 bits, two components, ...), with
// image_corrupt for damaged or cut data: anything after which pixels would be guessed.
// CMYK is read as Adobe writes it, inverted, and becomes R = (1 - C)(1 - K) without a colour profile, as in Pillow.
Result<StoredImage> decode_jpeg(std::span<const std::byte> bytes);

}  // namespace herd::media
