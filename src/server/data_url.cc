#include "server/data_url.h"

#include <array>

#include "base/limits.h"

namespace herd::server {
namespace {

constexpr std::array<std::int8_t, 256> base64_values = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}();

}  // namespace

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
  const std::size_t end = text.find_last_not_of('=') + 1;
  if (text.size() % 4 != 0 || text.size() - end > 2) return bad(end);
  std::vector<std::byte> out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (std::size_t i = 0; i < end; ++i) {
    const int value = base64_values[static_cast<unsigned char>(text[i])];
    if (value < 0) return bad(i);
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<std::byte>(bits >> held & 0xff));
  }
  if ((bits & ((1u << held) - 1)) != 0) return bad(end - 1);  // bits that belong to no byte
  return out;
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
