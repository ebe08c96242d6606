#include "grammar/schema_reference.h"

#include <algorithm>
#include <charconv>

#include "grammar/schema_merge.h"

namespace herd::grammar {
namespace {

bool requires_name(const json::value& schema, std::string_view name) {
  const json::value* list = find(schema, "required");
  return list && list->is_array() &&
         std::ranges::find(list->get_array(), json::value(name)) != list->get_array().end();
}

Result<bool> apart_at(const json::value& root, json::value a, json::value b, int depth) {
  for (json::value* side : {&a, &b})
    for (int i = 0; i < 8; ++i) {
      const json::value* ref = find(*side, "$ref");
      if (!ref || !ref->is_string()) break;
      HERD_TRY(const json::value* const target, schema_at(root, std::string(ref->get_string())));
      const json::value copy = *target;
      *side = copy;
    }
  if ((a.is_bool() && !a.get_bool()) || (b.is_bool() && !b.get_bool())) return true;
  if (!a.is_object() || !b.is_object()) return false;
  HERD_TRY(const json::array left, types_of(a.get_object(), "oneOf"));
  HERD_TRY(const json::array right, types_of(b.get_object(), "oneOf"));
  const auto shares = [](const json::array& x, const json::array& y) {
    return std::ranges::any_of(x, [&](const json::value& type) {
      return std::ranges::any_of(y, [&](const json::value& other) {
        return type == other || (type == "integer" && other == "number") ||
               (type == "number" && other == "integer");
      });
    });
  };
  if (!shares(left, right)) return true;
  const auto values = [](const json::value& schema) -> json::array {
    if (const json::value* one = schema.get_object().if_contains("const")) return {*one};
    const json::value* list = find(schema, "enum");
    return list && list->is_array() ? list->get_array() : json::array{};
  };
  const json::array these = values(a);
  const json::array those = values(b);
  if (!these.empty() && !those.empty()) return !shares(these, those);
  if (depth > 0 || left.size() != 1 || left[0] != "object" || right.size() != 1) return false;
  const json::value* mine = find(a, "properties");
  const json::value* theirs = find(b, "properties");
  if (!mine || !theirs || !mine->is_object() || !theirs->is_object()) return false;
  for (const auto& [name, schema] : mine->get_object()) {
    const json::value* other = theirs->get_object().if_contains(name);
    if (!other || !requires_name(a, name) || !requires_name(b, name)) continue;
    HERD_TRY(const bool apart, apart_at(root, schema, *other, depth + 1));
    if (apart) return true;
  }
  return false;
}

}  // namespace

Result<const json::value*> schema_at(const json::value& root, const std::string& pointer) {
  if (!pointer.starts_with('#') || (pointer.size() > 1 && pointer[1] != '/'))
    return fail(Code::invalid_schema,
                "the $ref {}: outside the document, or to an anchor, which is not supported",
                shown(pointer));
  std::string plain;
  for (std::size_t i = 1; i < pointer.size(); ++i) {
    unsigned value = 0;
    const char* const digits = pointer.data() + i + 1;
    if (pointer[i] == '%' && i + 2 < pointer.size() &&
        std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      plain += static_cast<char>(value);
      i += 2;
    } else {
      plain += pointer[i];
    }
  }
  boost::system::error_code error;
  const json::value* found = root.find_pointer(plain, error);
  if (!found || error)
    return fail(Code::invalid_schema, "the $ref {} leads nowhere", shown(pointer));
  return found;
}

Result<bool> disjoint(const json::value& root, const json::value& a, const json::value& b) {
  return apart_at(root, a, b, 0);
}

}  // namespace herd::grammar
