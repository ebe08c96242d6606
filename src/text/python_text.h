// Values as Python prints them: chat templates were written for it, and models were trained on what came out.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace herd::text {

// json.dumps(value, ensure_ascii=False, indent=indent): ", " and ": " between, on one line for indent 0 or else one
// member a line. Members keep their order; nothing is escaped but quotes, backslashes and control characters.
std::string python_json(const json::value& value, int indent = 0);

// str(value): a text as it is, True and None, lists and dicts by repr().
std::string python_str(const json::value& value);

// text.strip(): without the white space at both ends, which is White_Space and U+001C to U+001F.
std::string_view python_strip(std::string_view text);

}  // namespace herd::text
