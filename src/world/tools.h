// One tool as a sample offers it, and one use of it.
#pragma once

#include <string>
#include <vector>

#include "text/conversation.h"
#include "world/draw.h"
#include "world/tool_box.h"

namespace herd::world {

struct Tool {
  const ToolKind* kind;
  std::string name;
  std::vector<std::string> parameters;  // names, in the order of the kind's
};

struct Use {
  std::string request;
  text::ToolCall call;
  json::value result;
  std::string answer;
  std::string word;  // what a right answer contains
};

Tool draw_tool(Draw& draw, const ToolKind& kind);
// {"type": "function", "function": {"name", "description", "parameters": a JSON schema}}
json::object definition_of(const Tool& tool);
Use draw_use(Draw& draw, const Tool& tool);

// A text as it is, other values as JSON.
std::string text_of_value(const json::value& value);

}  // namespace herd::world
