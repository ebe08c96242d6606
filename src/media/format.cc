#include "media/format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "base/bytes.h"

namespace herd::media {

namespace {

using namespace std::string_view_literals;

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  std::string_view name;
};

// Formats that people send and herd refuses, so that the refusal can say what it was. Few decoders are a small attack
// surface; the longer patterns stand before the shorter ones they contain.
constexpr std::array refused{
    Magic{0, "\0\0\0\x0cjP  "sv, "JPEG 2000"},
    Magic{0, "\xff\x4f\xff\x51"sv, "JPEG 2000"},
    Magic{0, "\0\0\0\x0cJXL "sv, "JPEG XL"},
    Magic{0, "\xff\x0a"sv, "JPEG XL"},
    Magic{0, "II\x2a\0"sv, "TIFF"},
    Magic{0, "MM\0\x2a"sv, "TIFF"},
    Magic{0, "II\x2b\0"sv, "TIFF"},
    Magic{0, "MM\0\x2b"sv, "TIFF"},
    Magic{0, "8BPS"sv, "PSD"},
    Magic{0, "BM"sv, "BMP"},
    Magic{4, "ftypavi"sv, "AVIF"},  // avif, avis
    Magic{4, "ftyphei"sv, "HEIC"},  // heic, heix, heim, heis
    Magic{4, "ftyphev"sv, "HEIC"},  // hevc, hevx
    Magic{4, "ftypmif1"sv, "HEIF"},
    Magic{4, "ftypmsf1"sv, "HEIF"},
    Magic{4, "ftypcrx"sv, "Canon raw"},
    Magic{4, "ftyp"sv, "MP4 or QuickTime"},
    Magic{0, "\0\0\x01\0"sv, "ICO"},
    Magic{0, "\0\0\x02\0"sv, "CUR"},
    Magic{0, "icns"sv, "ICNS"},
    Magic{0, "qoif"sv, "QOI"},
    Magic{0, "\x76\x2f\x31\x01"sv, "OpenEXR"},
    Magic{0, "#?RADIANCE"sv, "Radiance HDR"},
    Magic{0, "DDS "sv, "DDS"},
    Magic{0, "\x8aMNG"sv, "MNG"},
    Magic{0, "\x8bJNG"sv, "JNG"},
    Magic{0, "\xd7\xcd\xc6\x9a"sv, "WMF"},
    Magic{0, "FUJIFILM"sv, "Fujifilm raw"},
    Magic{0, "%PDF-"sv, "PDF"},
    Magic{0, "%!PS"sv, "PostScript"},
    Magic{0, "\x1a\x45\xdf\xa3"sv, "Matroska or WebM"},
    Magic{0, "PK\x03\x04"sv, "ZIP"},
    Magic{0, "\x1f\x8b"sv, "gzip"},
    Magic{0, "data:"sv, "data: URL (undecoded)"},
};

bool has(std::string_view text, std::size_t offset, std::string_view magic) {
  return text.size() >= offset + magic.size() && text.substr(offset, magic.size()) == magic;
}

// P1 to P7 and a blank: the Netpbm family.
bool is_netpbm(std::string_view text) {
  return text.size() >= 3 && text[0] == 'P' && text[1] >= '1' && text[1] <= '7' &&
         (text[2] == ' ' || text[2] == '\n' || text[2] == '\r' || text[2] == '\t');
}

// Markup, recognised by the first tag that is neither a declaration nor a comment's start.
std::string_view markup_name(std::string_view text) {
  if (has(text, 0, "\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty() && (text[0] == ' ' || text[0] == '\n' || text[0] == '\r' || text[0] == '\t'))
    text.remove_prefix(1);
  if (text.empty() || text[0] != '<') return {};
  std::string head(text.substr(0, 1024));
  std::ranges::transform(head, head.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (has(head, 0, "<!doctype html") || has(head, 0, "<html")) return "HTML";
  if (head.find("<svg") != std::string::npos) return "SVG";
  if (has(head, 0, "<?xml")) return "XML";
  return {};
}

std::unexpected<Error> refuse(std::string_view name) {
  return fail_with_hint(
      Code::image_unsupported,
      fmt::format("this is {}, which is not supported; wanted JPEG, PNG, WebP or GIF", name),
      "convert the picture, for example to PNG");
}

}  // namespace

std::string_view name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "JPEG";
    case ImageFormat::png:
      return "PNG";
    case ImageFormat::webp:
      return "WebP";
    case ImageFormat::gif:
      return "GIF";
  }
  return "?";
}

Result<ImageFormat> image_format(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  if (has(text, 0, "\xff\xd8\xff"sv)) return ImageFormat::jpeg;
  if (has(text, 0, "\x89PNG\r\n\x1a\n"sv)) return ImageFormat::png;
  if (has(text, 0, "RIFF"sv) && has(text, 8, "WEBP"sv)) return ImageFormat::webp;
  if (has(text, 0, "GIF87a"sv) || has(text, 0, "GIF89a"sv)) return ImageFormat::gif;

  for (const Magic& magic : refused)
    if (has(text, magic.offset, magic.bytes)) return refuse(magic.name);
  if (is_netpbm(text)) return refuse("Netpbm");
  if (const auto name = markup_name(text); !name.empty()) return refuse(name);
  if (has(text, 0, "RIFF"sv)) return refuse("a RIFF file other than WebP");

  std::string hex;
  for (std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), 8)))
    hex += fmt::format("{}{:02x}", hex.empty() ? "" : " ", static_cast<unsigned>(byte));
  return fail(Code::image_unsupported,
              "the first bytes ({}) are of no known picture format; wanted JPEG, PNG, WebP or GIF",
              hex);
}

}  // namespace herd::media
