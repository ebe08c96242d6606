// Which kind of picture a file is, by its first bytes; names and types that somebody declared for it are not asked.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"

namespace herd::media {

enum class ImageFormat { jpeg, png, webp, gif };

// "JPEG", "PNG", "WebP", "GIF".
std::string_view name_of(ImageFormat format);

// Fails with image_unsupported: known formats that herd does not decode (JPEG 2000, TIFF, BMP, PSD, AVIF, HEIC, SVG,
// ...) are named, others are shown by their first bytes.
Result<ImageFormat> image_format(std::span<const std::byte> bytes);

}  // namespace herd::media
