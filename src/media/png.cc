#include "media/png.h"

#include <png.h>

#include <csetjmp>
#include <cstring>

#include "base/limits.h"
#include "media/exif.h"

namespace herd::media {

namespace {

// libpng leaves by longjmp; see jpeg.cc for the shape that follows from it.
struct Reader {
  std::span<const std::byte> bytes;
  std::size_t position = 0;
  png_structp png = nullptr;
  png_infop info = nullptr;
  char message[200] = {};

  explicit Reader(std::span<const std::byte> all) : bytes(all) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }

  bool open();
  bool read_rows(std::uint8_t* pixels);
  [[nodiscard]] std::size_t channels() const { return png_get_channels(png, info); }
  [[nodiscard]] std::unexpected<Error> error() const {
    return fail(Code::image_corrupt, "PNG: {}", message);
  }
};

void on_error(png_structp png, png_const_charp text) {
  auto& reader = *static_cast<Reader*>(png_get_error_ptr(png));
  std::strncpy(reader.message, text, sizeof reader.message - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  auto& reader = *static_cast<Reader*>(png_get_io_ptr(png));
  if (reader.bytes.size() - reader.position < count) png_error(png, "the data ends early");
  std::memcpy(to, reader.bytes.data() + reader.position, count);
  reader.position += count;
}

// Up to the first row, with the transformations to eight-bit RGB or RGBA set.
bool Reader::open() {
  png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
  if (png == nullptr) {
    std::strncpy(message, "no memory for the decoder", sizeof message - 1);
    return false;
  }
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  info = png_create_info_struct(png);
  if (info == nullptr) png_error(png, "no memory for the decoder");
  png_set_read_fn(png, this, read_bytes);
  png_set_user_limits(png, static_cast<png_uint_32>(limits::image_side_max),
                      static_cast<png_uint_32>(limits::image_side_max));
  // Text, profiles and the like are not read at all: compressed ones expand to megabytes, and libpng 1.6.39 reserves
  // what an eXIf chunk claims to be long, up to 2 GB (exif_chunk below reads it).
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);

  png_read_info(png, info);
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return true;
}

// pixels  [height, width, channels()]; also the chunks after the picture, so that a cut file is found out.
bool Reader::read_rows(std::uint8_t* pixels) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  const png_uint_32 height = png_get_image_height(png, info);
  const std::size_t stride = png_get_rowbytes(png, info);
  const int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_ADAM7 ? 7 : 1;
  for (int pass = 0; pass < passes; ++pass)
    for (png_uint_32 y = 0; y < height; ++y) png_read_row(png, pixels + stride * y, nullptr);
  png_read_end(png, info);
  return true;
}

std::uint32_t big_endian(std::span<const std::byte, 4> bytes) {
  std::uint32_t value = 0;
  for (std::byte byte : bytes) value = value << 8 | static_cast<std::uint32_t>(byte);
  return value;
}

// The body of the first eXIf chunk, before or after the pixels; empty when there is none.
std::span<const std::byte> exif_chunk(std::span<const std::byte> bytes) {
  constexpr std::size_t around = 12;  // length, name and checksum
  std::size_t at = 8;                 // behind the signature
  while (bytes.size() - at >= around) {
    const std::size_t length = big_endian(bytes.subspan(at).first<4>());
    if (bytes.size() - at - around < length) break;
    if (std::memcmp(bytes.data() + at + 4, "eXIf", 4) == 0) return bytes.subspan(at + 8, length);
    at += around + length;
  }
  return {};
}

}  // namespace

Result<Image> read_png_header(std::span<const std::byte> bytes) {
  // Signature, then the length and name of IHDR, then width and height, big-endian.
  constexpr std::size_t header_bytes = 24;
  if (bytes.size() < header_bytes || std::memcmp(bytes.data() + 12, "IHDR", 4) != 0)
    return fail(Code::image_corrupt, "PNG: no IHDR chunk in the first {} bytes", header_bytes);
  const std::uint32_t width = big_endian(bytes.subspan(16).first<4>());
  const std::uint32_t height = big_endian(bytes.subspan(20).first<4>());
  HERD_TRY_VOID(check_image_size(width, height));
  return Image{width, height, {}};
}

Result<StoredImage> decode_png(std::span<const std::byte> bytes) {
  HERD_TRY(Image image, read_png_header(bytes));
  Reader reader(bytes);
  if (!reader.open()) return reader.error();

  const std::size_t pixels = rgb_bytes(image.width, image.height) / 3;
  image.rgb.resize(pixels * reader.channels());
  if (!reader.read_rows(image.rgb.data())) return reader.error();
  if (reader.channels() == 4) flatten_over_white(image.rgb, pixels);

  return StoredImage{std::move(image), exif_orientation(exif_chunk(bytes))};
}

}  // namespace herd::media
