// Pictures that travel inside a request, as base64.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"

namespace herd::server {

// Strict base64 (RFC 4648 section 4), padding included. Fails with invalid_base64, the offset of the first bad
// character named; `param` is the place in the request.
ApiResult<std::vector<std::byte>> decode_base64(std::string_view text, std::string_view param);

// The bytes behind "data:image/png;base64,…". Fails with url_fetch_disabled for http and https addresses, which
// picture_fetch.h opens where that is allowed, and with invalid_image_url for anything else.
ApiResult<std::vector<std::byte>> decode_data_url(std::string_view url, std::string_view param);

}  // namespace herd::server
