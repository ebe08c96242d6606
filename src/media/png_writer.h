// Pictures as PNG files, through libpng.
#pragma once

#include <vector>

#include "media/image.h"

namespace herd::media {

// Eight-bit RGB, without ancillary chunks: the same picture gives the same bytes for one libpng and zlib.
std::vector<std::byte> encode_png(const Image& image);

}  // namespace herd::media
