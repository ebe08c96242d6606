// Pictures named on the command line.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "media/image.h"

namespace herd::cli {

// Fails with missing_input, io_failed, or the decoder's errors with the file's name in front.
Result<media::Image> read_image(const std::string& path);
// All of them, within the limits for one request.
Result<std::vector<media::Image>> read_images(const std::vector<std::string>& paths);

}  // namespace herd::cli
