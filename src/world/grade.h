// Was the reply right? The judge of generate-and-grade evaluation.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "world/sample.h"

namespace herd::world {

// `reply` is all the text of the model's answer, tool calls included as it wrote them; special tokens by name or left
// out. The sample is a conversation.
bool is_right(const Sample& sample, std::string_view reply);

// The calls written in a reply as a list of {"name", "parameters"}: JSON objects one after the other, or a Python list
// of calls with literal arguments. Nothing when the reply is not calls and nothing else.
std::optional<json::array> calls_in(std::string_view reply);

}  // namespace herd::world
