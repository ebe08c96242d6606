#include "media/webp.h"

#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>
#include <memory>

#include "base/bytes.h"
#include "base/check.h"
#include "media/exif.h"

namespace herd::media {

namespace {

struct DemuxDelete {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
using Demuxer = std::unique_ptr<WebPDemuxer, DemuxDelete>;

struct Frame : WebPIterator {
  Frame() : WebPIterator{} {}
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { WebPDemuxReleaseIterator(this); }
};

std::string_view sentence(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "no memory for the decoder";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "a feature the decoder does not know";
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return "the data ends early";
    default:
      return "the bit stream is damaged";
  }
}

// The container's parts; null when they do not fit together or the file is cut.
Result<Demuxer> parts_of(std::span<const std::byte> bytes) {
  const WebPData data{octets_of(bytes).data(), bytes.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  Demuxer demuxer(WebPDemuxPartial(&data, &state));
  if (demuxer && state == WEBP_DEMUX_DONE) return demuxer;
  return fail(Code::image_corrupt, "WebP: {}",
              state == WEBP_DEMUX_PARSE_ERROR ? "the container is damaged" : "the data ends early");
}

int orientation_of(const WebPDemuxer* demuxer) {
  WebPChunkIterator chunk{};
  int orientation = 1;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk) != 0)
    orientation = exif_orientation(std::as_bytes(std::span(chunk.chunk.bytes, chunk.chunk.size)));
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

// The frame's pixels, [frame.height, frame.width, 3], over white.
Result<std::vector<std::uint8_t>> pixels_of(const Frame& frame) {
  WebPDecoderConfig config;
  HERD_CHECK(WebPInitDecoderConfig(&config) != 0, "libwebp is older than its header");
  const WebPData& data = frame.fragment;
  if (auto status = WebPGetFeatures(data.bytes, data.size, &config.input); status != VP8_STATUS_OK)
    return fail(Code::image_corrupt, "WebP: {}", sentence(status));
  if (config.input.width != frame.width || config.input.height != frame.height)
    return fail(Code::image_corrupt, "WebP: the frame is {}x{} pixels, its container says {}x{}",
                config.input.width, config.input.height, frame.width, frame.height);

  const std::size_t channels = config.input.has_alpha != 0 ? 4 : 3;
  const std::size_t pixels = rgb_bytes(frame.width, frame.height) / 3;
  std::vector<std::uint8_t> out(pixels * channels);
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = out.data();
  config.output.u.RGBA.stride = frame.width * static_cast<int>(channels);
  config.output.u.RGBA.size = out.size();
  if (auto status = WebPDecode(data.bytes, data.size, &config); status != VP8_STATUS_OK)
    return fail(Code::image_corrupt, "WebP: {}", sentence(status));
  if (channels == 4) flatten_over_white(out, pixels);
  return out;
}

// The size of the canvas, from the container's header or, for a plain file, from the picture's own.
Result<Image> canvas_of(std::span<const std::byte> bytes) {
  WebPBitstreamFeatures features;
  const auto status = WebPGetFeatures(octets_of(bytes).data(), bytes.size(), &features);
  if (status != VP8_STATUS_OK) return fail(Code::image_corrupt, "WebP: {}", sentence(status));
  const auto width = static_cast<std::uint64_t>(features.width);
  const auto height = static_cast<std::uint64_t>(features.height);
  HERD_TRY_VOID(check_image_size(width, height));
  return Image{features.width, features.height, {}};
}

}  // namespace

Result<Image> read_webp_header(std::span<const std::byte> bytes) { return canvas_of(bytes); }

Result<StoredImage> decode_webp(std::span<const std::byte> bytes) {
  HERD_TRY(Image canvas, canvas_of(bytes));
  HERD_TRY(const Demuxer demuxer, parts_of(bytes));
  const auto width = static_cast<std::int64_t>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH));
  const auto height =
      static_cast<std::int64_t>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
  if (width != canvas.width || height != canvas.height)
    return fail(Code::image_corrupt, "WebP: the canvas is {}x{} pixels, the picture {}x{}", width,
                height, canvas.width, canvas.height);

  Frame frame;
  if (WebPDemuxGetFrame(demuxer.get(), 1, &frame) == 0 || frame.complete == 0)
    return fail(Code::image_corrupt, "WebP: there is no complete frame");
  if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width < 1 || frame.height < 1 ||
      frame.x_offset + frame.width > width || frame.y_offset + frame.height > height)
    return fail(Code::image_corrupt, "WebP: the first frame lies outside the canvas");

  HERD_TRY(std::vector<std::uint8_t> pixels, pixels_of(frame));
  if (frame.width == width && frame.height == height) {
    canvas.rgb = std::move(pixels);
  } else {
    canvas.rgb.assign(rgb_bytes(width, height), 255);
    const auto row = static_cast<std::size_t>(frame.width) * 3;
    for (int y = 0; y < frame.height; ++y)
      std::memcpy(canvas.rgb.data() + ((frame.y_offset + y) * width + frame.x_offset) * 3,
                  pixels.data() + row * static_cast<std::size_t>(y), row);
  }
  return StoredImage{std::move(canvas), orientation_of(demuxer.get())};
}

}  // namespace herd::media
