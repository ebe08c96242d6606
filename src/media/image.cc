#include "media/image.h"

#include <algorithm>

#include "base/check.h"
#include "base/checked_math.h"
#include "base/limits.h"

namespace herd::media {

Result<void> check_image_size(std::uint64_t width, std::uint64_t height) {
  if (width == 0 || height == 0)
    return fail(Code::image_corrupt, "the picture is {}x{} pixels; both sides must be at least 1",
                width, height);
  const auto pixels = checked_mul(width, height);
  if (!pixels || *pixels > limits::image_pixels_max)
    return fail(Code::image_too_large, "{}x{} pixels are {:.9g} MP, limit {} MP", width, height,
                static_cast<double>(width) * static_cast<double>(height) / 1e6,
                limits::image_pixels_max / 1'000'000);
  if (std::max(width, height) > limits::image_side_max)
    return fail(Code::image_too_large, "{}x{} pixels: a side of {}, limit {}", width, height,
                std::max(width, height), limits::image_side_max);
  return {};
}

void flatten_over_white(std::vector<std::uint8_t>& rgba, std::size_t pixels) {
  HERD_CHECK(rgba.size() == pixels * 4, "{} bytes, {} pixels", rgba.size(), pixels);
  const std::uint8_t* from = rgba.data();
  std::uint8_t* to = rgba.data();  // never overtakes `from`
  for (std::size_t i = 0; i < pixels; ++i, from += 4, to += 3) {
    const std::uint8_t alpha = from[3];
    to[0] = over_white(from[0], alpha);
    to[1] = over_white(from[1], alpha);
    to[2] = over_white(from[2], alpha);
  }
  rgba.resize(pixels * 3);
}

}  // namespace herd::media
