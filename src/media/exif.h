// How a camera was held: the one tag of Exif that changes what a person sees, and its application to pixels.
#pragma once

#include <cstddef>
#include <span>

#include "media/image.h"

namespace herd::media {

// Exif 2.3, tag 0x0112 of the first directory.
//   exif    a TIFF structure ("II" or "MM" first), with or without "Exif\0\0" in front
// Returns 1 to 8; 1 (upright) for everything that is missing, cut off, of another type or outside 1 to 8: wrong
// metadata is no reason to refuse a picture, and viewers show it upright too.
int exif_orientation(std::span<const std::byte> exif);

// The picture as it is to be looked at. orientation in 1 to 8; 5 to 8 exchange width and height.
Image upright(Image image, int orientation);

}  // namespace herd::media
