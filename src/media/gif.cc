#include "media/gif.h"

#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/check.h"

namespace herd::media {

namespace {

struct Reader {
  std::span<const std::byte> bytes;
  std::size_t position = 0;
  GifFileType* gif = nullptr;
  int error_code = 0;
  std::optional<unsigned> transparent;  // index of the see-through colour

  explicit Reader(std::span<const std::byte> all) : bytes(all) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    if (gif != nullptr) DGifCloseFile(gif, nullptr);
  }

  Result<Image> open();

 private:
  Result<void> extension();

 public:
  [[nodiscard]] std::unexpected<Error> error() const {
    const char* text = GifErrorString(gif != nullptr ? gif->Error : error_code);
    return fail(Code::image_corrupt, "GIF: {}", text != nullptr ? text : "the data is damaged");
  }
};

int read_bytes(GifFileType* gif, GifByteType* to, int count) {
  auto& reader = *static_cast<Reader*>(gif->UserData);
  const std::size_t left = reader.bytes.size() - reader.position;
  const std::size_t taken = std::min(left, static_cast<std::size_t>(std::max(count, 0)));
  std::memcpy(to, reader.bytes.data() + reader.position, taken);
  reader.position += taken;
  return static_cast<int>(taken);
}

// Up to the first frame's pixels. Returns the checked size of the picture.
Result<Image> Reader::open() {
  gif = DGifOpen(this, read_bytes, &error_code);
  if (gif == nullptr) return error();
  while (true) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif, &record) != GIF_OK) return error();
    if (record == IMAGE_DESC_RECORD_TYPE) break;
    if (record == TERMINATE_RECORD_TYPE)
      return fail(Code::image_corrupt, "GIF: the file holds no picture");
    if (record == EXTENSION_RECORD_TYPE) HERD_TRY_VOID(extension());
  }
  if (DGifGetImageDesc(gif) != GIF_OK) return error();
  const GifImageDesc& frame = gif->Image;
  if (frame.Left < 0 || frame.Top < 0 || frame.Width < 1 || frame.Height < 1)
    return fail(Code::image_corrupt, "GIF: the first frame is {}x{} pixels", frame.Width,
                frame.Height);
  const int width = std::max(gif->SWidth, frame.Left + frame.Width);
  const int height = std::max(gif->SHeight, frame.Top + frame.Height);
  HERD_TRY_VOID(
      check_image_size(static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(height)));
  return Image{width, height, {}};
}

Result<void> Reader::extension() {
  int code = 0;
  GifByteType* block = nullptr;  // giflib's own buffer: length, then as many bytes
  if (DGifGetExtension(gif, &code, &block) != GIF_OK) return error();
  GraphicsControlBlock control{};
  if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr &&
      DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK &&
      control.TransparentColor != NO_TRANSPARENT_COLOR)
    transparent = static_cast<unsigned>(control.TransparentColor);
  while (block != nullptr)
    if (DGifGetExtensionNext(gif, &block) != GIF_OK) return error();
  return {};
}

// Colours of the frame's own table, else the screen's, else gray levels; what a table does not reach is black.
std::array<std::array<std::uint8_t, 3>, 256> colours(const Reader& reader) {
  const ColorMapObject* map =
      reader.gif->Image.ColorMap != nullptr ? reader.gif->Image.ColorMap : reader.gif->SColorMap;
  std::array<std::array<std::uint8_t, 3>, 256> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (map == nullptr) {
      out[i].fill(static_cast<std::uint8_t>(i));
    } else if (i < static_cast<std::size_t>(map->ColorCount)) {
      const GifColorType& colour = map->Colors[i];
      out[i] = {colour.Red, colour.Green, colour.Blue};
    }
  }
  if (reader.transparent) out[*reader.transparent & 255u].fill(255);
  return out;
}

}  // namespace

Result<Image> read_gif_header(std::span<const std::byte> bytes) { return Reader(bytes).open(); }

Result<Image> decode_gif(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  HERD_TRY(Image image, reader.open());
  image.rgb.assign(rgb_bytes(image.width, image.height), 255);
  const auto palette = colours(reader);
  const GifImageDesc& frame = reader.gif->Image;
  std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));

  // Interlaced frames store every eighth row, the rows between, and so on; plain ones are one pass of every row.
  struct Pass {
    int first, step;
  };
  static constexpr Pass interlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  static constexpr Pass plain[] = {{0, 1}};
  const std::span<const Pass> passes =
      frame.Interlace ? std::span<const Pass>(interlaced) : std::span<const Pass>(plain);
  for (const Pass pass : passes) {
    for (int y = pass.first; y < frame.Height; y += pass.step) {
      if (DGifGetLine(reader.gif, line.data(), frame.Width) != GIF_OK) return reader.error();
      std::uint8_t* to = image.rgb.data() + ((frame.Top + y) * image.width + frame.Left) * 3;
      for (GifPixelType index : line) {
        std::memcpy(to, palette[index].data(), 3);
        to += 3;
      }
    }
  }
  return image;
}

}  // namespace herd::media
