// JSON from outside: Boost.JSON behind the limits that hostile text needs (depth, size, no duplicate keys).
// The one JSON reader of the project; values are boost::json's.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"

namespace herd {

namespace json = boost::json;

// Strict JSON (RFC 8259): no comments, no trailing commas, no NaN, valid UTF-8, no duplicate keys, nothing after the
// value. Fails with invalid_json (byte offset named) or json_too_deep.
Result<json::value> parse_json(std::string_view text,
                               std::uint64_t depth_max = limits::json_depth_max);

// The same for a file of at most limits::json_bytes_max bytes; errors carry its name.
Result<json::value> read_json(const std::string& path);

// Member `key` of an object; null when `value` is no object, has no such member, or the member is null.
const json::value* find(const json::value& value, std::string_view key);

}  // namespace herd
