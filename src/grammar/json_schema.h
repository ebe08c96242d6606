// JSON Schema (draft 2020-12) to a grammar of the documents that are valid by it.
//
// Read:     type, enum, const, anyOf, oneOf (branches that exclude each other evidently), allOf (where the parts can be
//           merged), $ref within the document, $defs, definitions; properties, required, additionalProperties,
//           patternProperties; items, prefixItems, minItems, maxItems; minLength, maxLength, pattern, format;
//           minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf (of integers).
// Ignored:  annotations (title, description, default, examples, $comment, ...).
// Refused by name, with the JSON pointer: everything else, and what is read where it cannot be followed.
//
// Narrower than the standard, never wider: properties come in the order of the schema, those of no name in it last; a
// number has the digits of JsonRules; integers are written without point; characters of strings with pattern or format,
// of constants and of names have one spelling. The one thing a grammar cannot count: names outside `properties` may
// occur twice.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/compiled.h"
#include "grammar/json_rules.h"

namespace herd::grammar {

// Unless strict, what is not supported is left out instead, so that the grammar allows more than the schema.
struct SchemaOptions {
  JsonStyle style{};
  bool strict = true;
};

// Fails with invalid_schema: what is wrong or not supported, and where; no document is valid. With schema_too_complex:
// a limit is passed. Messages begin "the schema at #/…:", a JSON pointer as a URI fragment. `ignored` receives the
// places of what was left out.
Result<Compiled> compile_json_schema(const json::value& schema, const SchemaOptions& options = {},
                                     std::vector<std::string>* ignored = nullptr);

// Any JSON object (OpenAI's json_object).
Result<Compiled> compile_json_object(JsonStyle style = {});

}  // namespace herd::grammar
