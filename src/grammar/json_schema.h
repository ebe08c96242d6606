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

#include "base/json.h"
#include "grammar/compiled.h"
#include "grammar/json_rules.h"

namespace herd::grammar {

// Fails with out_of_range: what is wrong or not supported, and where; no document is valid; a limit is passed.
Result<Compiled> compile_json_schema(const json::value& schema, JsonStyle style = {});

// Any JSON object (OpenAI's json_object).
Result<Compiled> compile_json_object(JsonStyle style = {});

}  // namespace herd::grammar
