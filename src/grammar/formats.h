// The formats of JSON Schema that are followed, as regular expressions. Narrower than the RFCs where these allow what
// nobody writes.
#pragma once

#include <string_view>

namespace herd::grammar {

// A pattern for whole strings of this format; empty for a format that is not known.
std::string_view pattern_of_format(std::string_view format);

}  // namespace herd::grammar
