// Files of documents: JSON lines, of each of which one member is a text.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"

namespace herd::cli {

// Gives `take` the member `field` of every line of `part`, which is whole lines of `all`, the file `name`. Blank lines
// are none. Fails with invalid_json, naming the line of the file.
Result<void> each_text(std::string_view name, std::string_view all, std::string_view part,
                       std::string_view field, const std::function<void(std::string_view)>& take);

}  // namespace herd::cli
