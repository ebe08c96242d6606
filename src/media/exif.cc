#include "media/exif.h"

#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace herd::media {

namespace {

constexpr std::uint16_t tag_orientation = 0x0112;
constexpr std::uint16_t type_short = 3;
constexpr std::uint16_t type_long = 4;

// Numbers of either byte order at checked offsets; what lies outside reads as 0 and sets `ended`.
struct Tiff {
  std::span<const std::byte> bytes;
  bool big_endian = false;
  bool ended = false;

  std::uint32_t number(std::uint64_t offset, unsigned size) {
    if (offset > bytes.size() || bytes.size() - offset < size) {
      ended = true;
      return 0;
    }
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size; ++i) {
      const unsigned at = big_endian ? i : size - 1 - i;
      value = value << 8 | static_cast<std::uint32_t>(bytes[offset + at]);
    }
    return value;
  }
};

bool starts_with(std::span<const std::byte> bytes, const char* text, std::size_t size) {
  return bytes.size() >= size && std::memcmp(bytes.data(), text, size) == 0;
}

}  // namespace

int exif_orientation(std::span<const std::byte> exif) {
  if (starts_with(exif, "Exif\0\0", 6)) exif = exif.subspan(6);
  Tiff tiff{exif};
  if (starts_with(exif, "MM\0\x2a", 4))
    tiff.big_endian = true;
  else if (!starts_with(exif, "II\x2a\0", 4))
    return 1;

  const std::uint64_t directory = tiff.number(4, 4);
  const std::uint32_t entries = tiff.number(directory, 2);
  for (std::uint32_t i = 0; i < entries && !tiff.ended; ++i) {
    const std::uint64_t entry = directory + 2 + 12ull * i;
    if (tiff.number(entry, 2) != tag_orientation) continue;
    const std::uint32_t type = tiff.number(entry + 2, 2);
    const std::uint32_t count = tiff.number(entry + 4, 4);
    if ((type != type_short && type != type_long) || count != 1) return 1;
    const std::uint32_t value = tiff.number(entry + 8, type == type_short ? 2 : 4);
    return !tiff.ended && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image upright(Image image, int orientation) {
  HERD_CHECK(orientation >= 1 && orientation <= 8, "orientation is {}", orientation);
  if (orientation == 1) return image;
  const bool turned = orientation >= 5;  // rows become columns
  const std::int64_t width = turned ? image.height : image.width;
  const std::int64_t height = turned ? image.width : image.height;

  // Pixel (x, y) of the result is pixel first + x * right + y * down of the stored picture, counted along its rows.
  const std::int64_t row = image.width;
  const std::int64_t last_x = image.width - 1;
  const std::int64_t last_y = (image.height - 1) * row;
  std::int64_t first = 0;
  std::int64_t right = 1;
  std::int64_t down = row;
  switch (orientation) {
    case 2:
      first = last_x, right = -1, down = row;
      break;  // mirrored
    case 3:
      first = last_x + last_y, right = -1, down = -row;
      break;  // half a turn
    case 4:
      first = last_y, right = 1, down = -row;
      break;  // upside down, mirrored
    case 5:
      first = 0, right = row, down = 1;
      break;  // transposed
    case 6:
      first = last_y, right = -row, down = 1;
      break;  // to be turned clockwise
    case 7:
      first = last_x + last_y, right = -row, down = -1;
      break;  // transversed
    case 8:
      first = last_x, right = row, down = -1;
      break;  // to be turned back
    default:
      break;
  }
  Image out{width, height, std::vector<std::uint8_t>(rgb_bytes(width, height))};
  std::uint8_t* to = out.rgb.data();
  for (std::int64_t y = 0; y < height; ++y) {
    std::int64_t from = first + y * down;
    for (std::int64_t x = 0; x < width; ++x, from += right, to += 3)
      std::memcpy(to, image.rgb.data() + from * 3, 3);
  }
  return out;
}

}  // namespace herd::media
