// What commands print on stdout: answers for people, or one JSON document for programs. A reader that has gone or a
// full disk is an error here, not silence.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace herd::cli {

// To stdout, at once. Fail with io_failed.
Result<void> print(std::string_view text);
// What a model says, to stdout: as it is into a file or a pipe, harmless on a terminal.
Result<void> print_said(std::string_view text);
Result<void> print_json(const json::value& value);

// Whole characters of UTF-8 whose control characters, but for newline and tab, became U+FFFD: escape sequences would
// move the cursor, set titles or fill the clipboard.
std::string harmless(std::string_view text);

// "108,641,793,536".
std::string grouped(std::uint64_t number);

}  // namespace herd::cli
