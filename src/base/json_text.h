// JSON as people read it.
#pragma once

#include <string>

#include "base/json.h"

namespace herd {

// One member a line, indented by two; what fits 100 columns stays on its line. Numbers are as short as they can be read
// back; what JSON has no number for (NaN, infinity) becomes null.
std::string json_text(const json::value& value);

}  // namespace herd
