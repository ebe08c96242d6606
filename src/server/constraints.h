// What a request holds its answer to: a schema, an expression, a grammar, or calls of tools (spec/api.md 2.2).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/fields.h"
#include "server/service.h"

namespace herd::server {

// The form of an answer, as it is asked for; at most one.
struct WantedForm {
  enum class Kind : std::uint8_t { any, object, schema, regex, gbnf, choice };
  Kind kind = Kind::any;
  json::value schema{};                // schema
  bool strict = false;                 // schema: refuse what cannot be followed
  std::string text{};                  // regex, gbnf
  std::vector<std::string> choices{};  // choice
  std::string param{};                 // the member that asks for it
};

// `response_format` of chat completions.
void read_response_format(Fields& fields, WantedForm& form);

// What other servers taught clients to send: guided_json, guided_regex, guided_choice, guided_grammar and
// structured_outputs (vLLM), grammar and json_schema (llama.cpp), regex and ebnf (SGLang). Grammars are GBNF.
void read_foreign_forms(Fields& fields, WantedForm& form);

// Which tools an answer may call.
struct WantedCalls {
  enum class Choice : std::uint8_t { none, may, must };
  Choice choice = Choice::may;
  std::vector<std::string> only;  // these; empty: all that were offered
  bool one = false;               // at most one call
};

// `tool_choice` of chat completions, or `function_call` of old clients; leaves `wanted` as it is when absent.
void read_tool_choice(Fields& fields, std::string_view name, WantedCalls& wanted);

// Puts the grammar into the request, and leaves to read.tools the names that may be called. Nothing of tools is said to
// the model where none may be. Fails with invalid_schema, invalid_grammar (400) or schema_too_complex (422), the path
// into the schema as the param.
ApiResult<> constrain(const Service& service, const WantedForm& form, const WantedCalls& calls,
                      ReadConversation& read, engine::Request& request,
                      std::vector<std::string>& ignored);

}  // namespace herd::server
