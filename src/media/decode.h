// From the bytes of a picture file to pixels as a person would see them.
//
// The formats are few on purpose: each decoder is code that hostile bytes reach. The header's size is checked against
// base/limits.h before memory is reserved; in total a decode holds at most 4 * width * height * 3 bytes and 16 MiB.
// Thread-safe: no state but the arguments.
#pragma once

#include <cstddef>
#include <span>

#include "media/format.h"
#include "media/image.h"

namespace herd::media {

struct ImageHeader {
  ImageFormat format = ImageFormat::png;
  std::int64_t width = 0;  // as stored; a camera's orientation may exchange the two
  std::int64_t height = 0;
};

// What the header says, for deciding before decoding. Fails like decode_image; a damaged body is not noticed.
Result<ImageHeader> read_image_header(std::span<const std::byte> bytes);

// JPEG, PNG, WebP, or the first frame of a GIF or of an animated WebP. Exif's orientation is applied, transparency is
// laid over white, colour profiles are ignored. Fails with image_empty (no bytes), image_unsupported (the format is
// named), image_too_large (file, pixels or a side: the limit is given), image_corrupt (the decoder's own words; also
// for every file that ends early).
Result<Image> decode_image(std::span<const std::byte> bytes);

// The pictures of one request together: at most limits::images_max of them, limits::images_pixels_max pixels in all.
// Fails with too_many_images or image_too_large, or as read_image_header does for the first bad one.
Result<void> check_images(std::span<const std::span<const std::byte>> pictures);

}  // namespace herd::media
