// Writes a sample's conversation turn by turn.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "world/sample.h"

namespace herd::world {

void add_system(Sample& sample, std::string_view text);
// The last `pictures` of sample.pictures stand before the text.
void add_user(Sample& sample, std::string_view text, int pictures = 0);
void add_answer(Sample& sample, std::string_view text);
void add_calls(Sample& sample, std::vector<text::ToolCall> calls);
void add_result(Sample& sample, json::value result);

// How the last message is graded. Sets `expected` from it; `accepted` is what Check says, and the answer itself when
// none is given.
void grade_as(Sample& sample, Check check, std::vector<std::string> accepted = {},
              std::vector<std::string> rejected = {});

// [{"name": ..., "parameters": ...}, ...]
json::array calls_json(const std::vector<text::ToolCall>& calls);

// "{"a": 1, "b": [2, 3]}": as Python writes it, and as answers are taught.
std::string json_line(const json::value& value);

}  // namespace herd::world
