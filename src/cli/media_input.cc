#include "cli/media_input.h"

#include <span>

#include "base/file.h"
#include "media/decode.h"

namespace herd::cli {

Result<media::Image> read_image(const std::string& path) {
  HERD_TRY(const Mapping file, Mapping::open(path));
  auto image = media::decode_image(file.bytes());
  if (!image) return std::unexpected(std::move(image).error().in(path));
  return image;
}

Result<std::vector<media::Image>> read_images(const std::vector<std::string>& paths) {
  std::vector<Mapping> files;
  std::vector<std::span<const std::byte>> bytes;
  for (const std::string& path : paths) {
    HERD_TRY(Mapping file, Mapping::open(path));
    files.push_back(std::move(file));
    bytes.push_back(files.back().bytes());
  }
  if (auto checked = media::check_images(bytes); !checked) {
    // By its name, where it is one file's fault.
    for (std::size_t i = 0; i < paths.size(); ++i)
      if (auto header = media::read_image_header(bytes[i]); !header)
        return std::unexpected(std::move(header).error().in(paths[i]));
    return std::unexpected(std::move(checked).error());
  }
  std::vector<media::Image> images;
  for (const std::string& path : paths) {
    HERD_TRY(media::Image image, read_image(path));
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace herd::cli
