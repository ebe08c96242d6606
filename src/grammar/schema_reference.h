// What a $ref names, and whether two schemas exclude each other evidently.
#pragma once

#include <string>

#include "base/json.h"

namespace herd::grammar {

// The schema at "#/a/b" of the document. Fails with invalid_schema for other references and where nothing is there.
Result<const json::value*> schema_at(const json::value& root, const std::string& pointer);

// Whether no document can be valid by both: different types, different constants, or a property that both require and
// whose constants differ. False where that is not evident.
Result<bool> disjoint(const json::value& root, const json::value& a, const json::value& b);

}  // namespace herd::grammar
