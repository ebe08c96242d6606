// Calls of tools as a grammar: which tools an answer may call, with which arguments, and whether it must. Calls are
// written in the dialects that text::ToolCallStream reads, so what the grammar holds to a schema is what the reader
// finds.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/compiled.h"

namespace herd::grammar {

struct Tool {
  std::string name;     // of letters, digits, '_', '-' and '.'
  json::value schema;   // of its arguments; true where it has none
  bool strict = false;  // else keywords that cannot be followed are left out
  std::string place{};  // in the request, for messages: "tools[0].function.parameters"
};

struct ToolCalls {
  std::vector<Tool> tools;  // at least one
  bool must =
      false;  // the answer is calls and nothing else; otherwise text, in which calls may begin
  bool several = true;  // more than one call
  // With this, and without `must`, an answer that calls nothing is a document of this schema instead of free text.
  std::optional<json::value> document{};
  bool document_strict = false;
  std::string document_place{};
};

// What must be called is written as one object after another, {"name": "f", "parameters": {…}}. Where calls are free,
// the answer is any text; but where a call begins (at the start of the text or of a line, or behind another call), in
// any dialect, it has to go on as a call of that tool with arguments of its schema. So an object that begins a line
// with one of the members that calls have ("type", "parameters", …) is always a call there.
// Fails as compile_json_schema(), the tool's place in front. `ignored` receives what was left out.
Result<Compiled> compile_tool_calls(const ToolCalls& calls,
                                    std::vector<std::string>* ignored = nullptr);

}  // namespace herd::grammar
