// Names that nobody can guess: for requests, answers, tool calls and keys.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace herd::server {

// `prefix` and 2 * `bytes` hexadecimal digits of the system's randomness.
std::string random_id(std::string_view prefix, std::size_t bytes = 16);

}  // namespace herd::server
