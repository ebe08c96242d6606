#include "media/jpeg.h"

// jpeglib.h needs size_t and FILE before it.
#include <cstdio>
// jerror.h after jpeglib.h.
#include <jpeglib.h>
// clang-format off
#include <jerror.h>
// clang-format on

#include <csetjmp>
#include <cstring>
#include <optional>

#include "base/bytes.h"
#include "base/limits.h"
#include "media/exif.h"

namespace herd::media {

namespace {

// libjpeg leaves by longjmp, which runs no destructors. So everything it works on lives in a Reader made by a function
// that does not call setjmp, and the functions that do (open, start, read_rows) hold plain values only.
struct Reader {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  bool created = false;
  int message_code = 0;
  char message[JMSG_LENGTH_MAX] = {};

  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    if (created) jpeg_destroy_decompress(&info);
  }

  bool open(std::span<const std::byte> bytes);
  bool start();
  bool read_rows(std::uint8_t* rgb, std::uint8_t* cmyk_row);
  [[nodiscard]] std::unexpected<Error> error() const;
};

Reader& reader_of(j_common_ptr info) { return *static_cast<Reader*>(info->client_data); }

[[noreturn]] void leave(j_common_ptr info) {
  Reader& reader = reader_of(info);
  reader.message_code = info->err->msg_code;
  info->err->format_message(info, reader.message);
  std::longjmp(reader.escape, 1);
}

// Warnings after which libjpeg goes on with pixels that it made up. The others (bytes between markers, a version
// number from the future, a strange but complete order of scans) leave the picture whole.
bool loses_pixels(int code) {
  return code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_ARITH_BAD_CODE ||
         code == JWRN_JPEG_EOF || code == JWRN_MUST_RESYNC || code == JWRN_NOT_SEQUENTIAL;
}

void on_message(j_common_ptr info, int level) {
  if (level < 0 && loses_pixels(info->err->msg_code)) leave(info);
}

void print_nothing(j_common_ptr) {}

// A progressive file may hold a million scans of a few bytes, each a walk over the whole picture.
void count_scans(j_common_ptr info) {
  Reader& reader = reader_of(info);
  if (reader.info.input_scan_number <= static_cast<int>(limits::jpeg_scans_max)) return;
  reader.message_code = 0;
  fmt::format_to_n(reader.message, sizeof reader.message - 1, "more than {} scans",
                   limits::jpeg_scans_max);
  std::longjmp(reader.escape, 1);
}

bool Reader::open(std::span<const std::byte> bytes) {
  info.err = jpeg_std_error(&errors);
  errors.error_exit = leave;
  errors.emit_message = on_message;
  errors.output_message = print_nothing;
  info.client_data = this;
  if (setjmp(escape) != 0) return false;
  jpeg_create_decompress(&info);
  created = true;
  jpeg_mem_src(&info, octets_of(bytes).data(), static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&info, TRUE);
  return true;
}

bool Reader::start() {
  progress.progress_monitor = count_scans;
  info.progress = &progress;
  const bool four = info.num_components == 4;
  info.out_color_space = four ? JCS_CMYK : JCS_RGB;
  // Coefficients of a progressive file are two bytes per sample; the rest is for tables and padding of blocks.
  info.mem->max_memory_to_use =
      static_cast<long>(info.image_width) * info.image_height * (four ? 8 : 6) + (12l << 20);
  if (setjmp(escape) != 0) return false;
  jpeg_start_decompress(&info);
  return true;
}

// One of red, green, blue from its ink: (1 - ink)(1 - black), Pillow's rule; others add the inks. Stored inverted.
std::uint8_t scaled(std::uint8_t inverted_ink, std::uint8_t inverted_black) {
  const unsigned sum = (255u - inverted_ink) * inverted_black + 128u;
  return static_cast<std::uint8_t>(inverted_black - ((sum + (sum >> 8)) >> 8));
}

bool Reader::read_rows(std::uint8_t* rgb, std::uint8_t* cmyk_row) {
  if (setjmp(escape) != 0) return false;
  const std::size_t stride = std::size_t{info.output_width} * 3;
  while (info.output_scanline < info.output_height) {
    std::uint8_t* const to = rgb + stride * info.output_scanline;
    JSAMPROW row = cmyk_row == nullptr ? to : cmyk_row;
    if (jpeg_read_scanlines(&info, &row, 1) != 1) ERREXIT(&info, JERR_CANT_SUSPEND);
    for (std::size_t x = 0; cmyk_row != nullptr && x < info.output_width; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        to[3 * x + c] = scaled(cmyk_row[4 * x + c], cmyk_row[4 * x + 3]);
  }
  jpeg_finish_decompress(&info);
  return true;
}

std::unexpected<Error> Reader::error() const {
  switch (message_code) {
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_COMPONENT_COUNT:
    case JERR_NOTIMPL:
      return fail(Code::image_unsupported, "JPEG of a rare kind: {}", message);
    default:
      return fail(Code::image_corrupt, "JPEG: {}", message);
  }
}

// The Exif segment before the first scan; empty when there is none. The decoder has accepted the markers already.
std::span<const std::byte> exif_segment(std::span<const std::byte> bytes) {
  std::size_t at = 2;
  while (bytes.size() - at >= 4) {
    if (bytes[at] != std::byte{0xff}) {
      ++at;  // garbage between segments, as the decoder skips it
      continue;
    }
    const auto marker = static_cast<unsigned>(bytes[at + 1]);
    if (marker == 0xff || marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker == 0xff ? 1 : 2;  // fill byte, or a marker without length
      continue;
    }
    if (marker == 0xda || marker == 0xd9) break;  // scan, end
    const std::size_t length =
        static_cast<std::size_t>(bytes[at + 2]) << 8 | static_cast<std::size_t>(bytes[at + 3]);
    if (length < 2 || bytes.size() - at - 2 < length) break;
    const auto body = bytes.subspan(at + 4, length - 2);
    if (marker == 0xe1 && body.size() >= 6 && std::memcmp(body.data(), "Exif\0\0", 6) == 0)
      return body;
    at += 2 + length;
  }
  return {};
}

Result<void> check_kind(const Reader& reader) {
  const int components = reader.info.num_components;
  if (components != 1 && components != 3 && components != 4)
    return fail(Code::image_unsupported, "JPEG with {} colour components; wanted 1, 3 or 4",
                components);
  return check_image_size(reader.info.image_width, reader.info.image_height);
}

}  // namespace

Result<Image> read_jpeg_header(std::span<const std::byte> bytes) {
  Reader reader;
  if (!reader.open(bytes)) return reader.error();
  HERD_TRY_VOID(check_kind(reader));
  return Image{reader.info.image_width, reader.info.image_height, {}};
}

Result<StoredImage> decode_jpeg(std::span<const std::byte> bytes) {
  Reader reader;
  if (!reader.open(bytes)) return reader.error();
  HERD_TRY_VOID(check_kind(reader));
  if (!reader.start()) return reader.error();

  Image image{reader.info.output_width, reader.info.output_height, {}};
  image.rgb.resize(rgb_bytes(image.width, image.height));
  std::vector<std::uint8_t> cmyk_row;
  if (reader.info.num_components == 4) cmyk_row.resize(static_cast<std::size_t>(image.width) * 4);
  if (!reader.read_rows(image.rgb.data(), cmyk_row.empty() ? nullptr : cmyk_row.data()))
    return reader.error();
  return StoredImage{std::move(image), exif_orientation(exif_segment(bytes))};
}

}  // namespace herd::media
