// A decoded picture, and the limits that every decoder asks before it reserves memory for one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"

namespace herd::media {

// Eight bits each of red, green and blue: rgb is [height, width, 3], row after row from the top, no padding.
struct Image {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> rgb;
};

// What a decoder found in a file.
struct StoredImage {
  Image image;          // as stored
  int orientation = 1;  // Exif's, 1 to 8: what to do before looking at it
};

// Bytes of rgb in a picture of this size. The size has passed check_image_size.
[[nodiscard]] inline std::size_t rgb_bytes(std::int64_t width, std::int64_t height) {
  return static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3;
}

// The size that a file's header claims, before anything is reserved for it. Fails with image_corrupt for a side of
// zero, with image_too_large beyond limits::image_pixels_max or limits::image_side_max.
Result<void> check_image_size(std::uint64_t width, std::uint64_t height);

// One channel of a pixel with opacity alpha / 255 laid over white, rounded to nearest. The colour is stated once,
// here: Meta's preprocessing uses white, and a viewer on a white page shows the same.
[[nodiscard]] inline std::uint8_t over_white(std::uint8_t value, std::uint8_t alpha) {
  const unsigned sum = unsigned{value} * alpha + 255u * (255u - alpha) + 128u;
  return static_cast<std::uint8_t>((sum + (sum >> 8)) >> 8);  // exact division by 255
}

// RGBA to RGB in place: [pixels, 4] becomes [pixels, 3] at the front of the same vector, laid over white.
void flatten_over_white(std::vector<std::uint8_t>& rgba, std::size_t pixels);

}  // namespace herd::media
