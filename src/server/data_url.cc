#include "server/data_url.h"

#include "base/base64.h"
#include "base/limits.h"

namespace herd::server {
ApiResult<std::vector<std::byte>> decode_base64(std::string_view text, std::string_view param) {
  const auto bad = [&](std::size_t at) {
    return refuse(400, "invalid_base64",
                  fmt::format("not base64: the character at offset {} of {}", at, text.size()),
                  std::string(param));
  };
  if (text.size() / 4 * 3 > limits::image_bytes_max)
    return refuse(422, "image_too_large",
                  fmt::format("the picture has about {} bytes, at most {}", text.size() / 4 * 3,
                              limits::image_bytes_max),
                  std::string(param));
  Base64 decoded = herd::decode_base64(text);
  if (decoded.bad_at) return bad(*decoded.bad_at);
  return std::move(decoded.bytes);
}

ApiResult<std::vector<std::byte>> decode_data_url(std::string_view url, std::string_view param) {
  if (url.starts_with("http://") || url.starts_with("https://"))
    return refuse(400, "url_fetch_disabled",
                  "this server opens no addresses; send the picture itself as a data: URL, "
                  "\"data:image/png;base64,…\" (its operator may set --allow-media-host)",
                  std::string(param));
  const std::size_t comma = url.find(',');
  if (!url.starts_with("data:") || comma == std::string_view::npos || comma > 256 ||
      !url.substr(0, comma).ends_with(";base64"))
    return refuse(400, "invalid_image_url",
                  fmt::format("found {}, wanted a data: URL in base64, "
                              "\"data:image/png;base64,…\"",
                              shown(url.substr(0, 32))),
                  std::string(param));
  return decode_base64(url.substr(comma + 1), param);
}

}  // namespace herd::server
