// Any bytes as a picture: refused with a reason, or pixels within the limits, of the size that the header announced.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "media/decode.h"
#include "media/exif.h"
#include "media/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  const int orientation = media::exif_orientation(bytes);
  HERD_CHECK(orientation >= 1 && orientation <= 8);

  const auto header = media::read_image_header(bytes);
  if (!header) {
    HERD_CHECK(!header.error().message.empty());
    HERD_CHECK(!media::decode_image(bytes));  // decoding is never more lenient than looking
    return 0;
  }
  HERD_CHECK(media::check_image_size(static_cast<std::uint64_t>(header->width),
                                     static_cast<std::uint64_t>(header->height)));
  // Large pictures go the same ways as small ones, only slower; tests/data/images has some of each format.
  if (header->width * header->height > 1 << 18) return 0;

  const auto image = media::decode_image(bytes);
  if (!image) {
    HERD_CHECK(!image.error().message.empty());
    return 0;
  }
  const bool same = image->width == header->width && image->height == header->height;
  const bool turned = image->width == header->height && image->height == header->width;
  HERD_CHECK(same || turned, "{}x{}, header {}x{}", image->width, image->height, header->width,
             header->height);
  HERD_CHECK(image->rgb.size() == media::rgb_bytes(image->width, image->height));

  media::PreprocessOptions options;
  options.tile_side = 28;
  options.tiles_max = 4;
  const media::Tiles tiles = media::preprocess(*image, options);
  HERD_CHECK(tiles.pixels.size() == static_cast<std::size_t>(tiles.tiling.tiles()) * 3 * 28 * 28);
  for (float value : tiles.pixels) HERD_CHECK(value >= -1.0f && value <= 1.0f, "{}", value);
  return 0;
}
