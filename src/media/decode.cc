#include "media/decode.h"

#include <new>

#include "base/check.h"
#include "base/limits.h"
#include "media/exif.h"
#include "media/gif.h"
#include "media/jpeg.h"
#include "media/png.h"
#include "media/webp.h"

namespace herd::media {

namespace {

Result<ImageFormat> accepted_format(std::span<const std::byte> bytes) {
  if (bytes.empty()) return fail(Code::image_empty, "the picture has 0 bytes");
  if (bytes.size() > limits::image_bytes_max)
    return fail(Code::image_too_large, "the picture's file has {} bytes, limit {} ({} MiB)",
                bytes.size(), limits::image_bytes_max, limits::image_bytes_max >> 20);
  return image_format(bytes);
}

Result<Image> read_header(ImageFormat format, std::span<const std::byte> bytes) {
  switch (format) {
    case ImageFormat::jpeg:
      return read_jpeg_header(bytes);
    case ImageFormat::png:
      return read_png_header(bytes);
    case ImageFormat::webp:
      return read_webp_header(bytes);
    case ImageFormat::gif:
      return read_gif_header(bytes);
  }
  HERD_CHECK(false, "format {}", static_cast<int>(format));
}

Result<StoredImage> decode(ImageFormat format, std::span<const std::byte> bytes) {
  switch (format) {
    case ImageFormat::jpeg:
      return decode_jpeg(bytes);
    case ImageFormat::png:
      return decode_png(bytes);
    case ImageFormat::webp:
      return decode_webp(bytes);
    case ImageFormat::gif: {
      HERD_TRY(Image image, decode_gif(bytes));
      return StoredImage{std::move(image), 1};  // GIF has no Exif
    }
  }
  HERD_CHECK(false, "format {}", static_cast<int>(format));
}

}  // namespace

Result<ImageHeader> read_image_header(std::span<const std::byte> bytes) {
  HERD_TRY(const ImageFormat format, accepted_format(bytes));
  HERD_TRY(const Image header, read_header(format, bytes));
  return ImageHeader{format, header.width, header.height};
}

Result<Image> decode_image(std::span<const std::byte> bytes) {
  HERD_TRY(const ImageFormat format, accepted_format(bytes));
  try {
    HERD_TRY(StoredImage stored, decode(format, bytes));
    return upright(std::move(stored.image), stored.orientation);
  } catch (const std::bad_alloc&) {
    return fail(Code::image_too_large, "there is no memory left for the pixels of this {} picture",
                name_of(format));
  }
}

Result<void> check_images(std::span<const std::span<const std::byte>> pictures) {
  if (pictures.size() > limits::images_max)
    return fail(Code::too_many_images, "{} pictures, limit {}", pictures.size(),
                limits::images_max);
  std::uint64_t pixels = 0;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    auto header = read_image_header(pictures[i]);
    if (!header)
      return std::unexpected(std::move(header).error().in(fmt::format("picture {}", i + 1)));
    pixels += static_cast<std::uint64_t>(header->width * header->height);
  }
  if (pixels > limits::images_pixels_max)
    return fail(Code::image_too_large, "the {} pictures have {:.9g} MP together, limit {} MP",
                pictures.size(), static_cast<double>(pixels) / 1e6,
                limits::images_pixels_max / 1'000'000);
  return {};
}

}  // namespace herd::media
