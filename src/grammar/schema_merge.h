// One schema that demands what two demand: how allOf, and keywords beside anyOf and $ref, become plain keywords.
#pragma once

#include <string>

#include "base/json.h"

namespace herd::grammar {

// Keywords that say something to people and nothing about validity.
bool is_annotation(std::string_view keyword);

// Either may be true, false or an object. Fails with invalid_schema, naming `where` and the keyword, where they cannot
// be said in one: two patterns, two anyOf, additionalProperties beside other properties.
Result<json::value> merged(const json::value& a, const json::value& b, const std::string& where);

// The types that a schema without other keywords would allow: its `type` as a set of the seven names.
Result<json::array> types_of(const json::object& schema, const std::string& where);

}  // namespace herd::grammar
