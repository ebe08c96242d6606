// Calls as Python writes them, f(a=1, b='x'), with literal arguments. Nothing is evaluated.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace herd::text {

struct PythonCall {
  std::string name;
  json::object arguments;
};

// One call with keyword arguments, each a literal of Python or JSON. Nothing where the text is no such call from its
// first to its last character, has an argument twice, or is nested deeper than 32.
std::optional<PythonCall> parse_python_call(std::string_view text);

// The same for a list of at least one, brackets included.
std::optional<std::vector<PythonCall>> parse_python_calls(std::string_view text);

}  // namespace herd::text
