#include "media/png_writer.h"

#include <png.h>

#include "base/check.h"

namespace herd::media {

std::vector<std::byte> encode_png(const Image& image) {
  HERD_CHECK(image.rgb.size() == rgb_bytes(image.width, image.height), "{} bytes for {} x {}",
             image.rgb.size(), image.width, image.height);
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::vector<std::byte> out(size);
  const int done =
      png_image_write_to_memory(&header, out.data(), &size, 0, image.rgb.data(), 0, nullptr);
  HERD_CHECK(done != 0, "libpng: {}", header.message);  // memory aside, nothing can fail
  out.resize(size);
  return out;
}

}  // namespace herd::media
