#include "grammar/schema_merge.h"

#include <algorithm>
#include <array>

namespace herd::grammar {
namespace {

bool holds(const json::array& list, const json::value& value) {
  return std::ranges::find(list, value) != list.end();
}

json::array common(const json::array& a, const json::array& b) {
  json::array out;
  for (const json::value& value : a)
    if (holds(b, value)) out.push_back(value);
  return out;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

// items of one speaks about the places behind its own prefixItems.
Result<> refuse_crossing_items(const json::object& a, const json::object& b,
                               const std::string& where) {
  const json::value* mine = a.if_contains("prefixItems");
  const json::value* theirs = b.if_contains("prefixItems");
  const bool same = mine && theirs ? *mine == *theirs : !mine && !theirs;
  if (a.contains("items") && !same)
    return fail(Code::invalid_schema, "{}: items beside other prefixItems are not supported",
                where);
  return {};
}

// additionalProperties of one speaks about the names that the other lists.
Result<> refuse_crossing(const json::object& a, const json::object& b, const std::string& where) {
  if (!a.contains("additionalProperties") && !a.contains("patternProperties")) return {};
  const json::value* mine = a.if_contains("properties");
  const json::value* theirs = b.if_contains("properties");
  if (b.contains("patternProperties"))
    return fail(Code::invalid_schema, "{}: patternProperties cannot be merged", where);
  if (!theirs || !theirs->is_object()) return {};
  for (const auto& [name, unused] : theirs->get_object())
    if (!mine || !mine->is_object() || !mine->get_object().contains(name))
      return fail(Code::invalid_schema,
                  "{}: additionalProperties beside a schema with other properties ({}) is not "
                  "supported",
                  where, shown(name));
  return {};
}

Result<json::value> both(std::string_view keyword, const json::value& a, const json::value& b,
                         const std::string& where) {
  if (a == b) return a;
  if (is_one_of(keyword, {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}))
    return a.is_number() && b.is_number() && a.to_number<double>() < b.to_number<double>() ? b : a;
  if (is_one_of(keyword, {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}))
    return a.is_number() && b.is_number() && a.to_number<double>() > b.to_number<double>() ? b : a;
  if (a.is_array() && b.is_array()) {
    if (keyword == "required") {
      json::array all = a.get_array();
      for (const json::value& name : b.get_array())
        if (!holds(all, name)) all.push_back(name);
      return all;
    }
    if (keyword == "enum") return common(a.get_array(), b.get_array());
    if (keyword == "allOf") {
      json::array all = a.get_array();
      all.insert(all.end(), b.get_array().begin(), b.get_array().end());
      return all;
    }
  }
  if (keyword == "items" || keyword == "additionalProperties") return merged(a, b, where);
  if (keyword == "properties" && a.is_object() && b.is_object()) {
    json::object all = a.get_object();
    for (const auto& [name, schema] : b.get_object()) {
      if (all.contains(name)) {
        HERD_TRY(all[name], merged(all[name], schema, where));
      } else {
        all[name] = schema;
      }
    }
    return all;
  }
  return fail(Code::invalid_schema, "{}: two different {} cannot be merged", where, keyword);
}

}  // namespace

bool is_annotation(std::string_view keyword) {
  return is_one_of(keyword, {"title", "description", "default", "examples", "$comment", "$schema",
                             "deprecated", "readOnly", "writeOnly", "contentEncoding",
                             "contentMediaType", "contentSchema", "$defs", "definitions"});
}

Result<json::array> types_of(const json::object& schema, const std::string& where) {
  static const json::array all{"object", "array", "string", "number", "boolean", "null"};
  const json::value* type = schema.if_contains("type");
  if (!type) return all;
  json::array named;
  if (type->is_array())
    named = type->get_array();
  else
    named.push_back(*type);
  json::array out;
  for (const json::value& name : named) {
    if (!name.is_string() || (!holds(all, name) && name != "integer"))
      return fail(Code::invalid_schema, "{}/type: {} is not a type", where,
                  shown(json::serialize(name)));
    if (!holds(out, name)) out.push_back(name);
  }
  if (holds(out, "number"))
    out.erase(std::remove(out.begin(), out.end(), json::value("integer")), out.end());
  return out;
}

Result<json::value> merged(const json::value& a, const json::value& b, const std::string& where) {
  if (a.is_bool()) return a.get_bool() ? b : a;
  if (b.is_bool()) return b.get_bool() ? a : b;
  if (!a.is_object() || !b.is_object())
    return fail(Code::invalid_schema, "{}: a schema is an object or a boolean", where);
  HERD_TRY_VOID(refuse_crossing(a.get_object(), b.get_object(), where));
  HERD_TRY_VOID(refuse_crossing(b.get_object(), a.get_object(), where));
  HERD_TRY_VOID(refuse_crossing_items(a.get_object(), b.get_object(), where));
  HERD_TRY_VOID(refuse_crossing_items(b.get_object(), a.get_object(), where));
  json::object out = a.get_object();
  for (const auto& [keyword, value] : b.get_object()) {
    if (is_annotation(keyword)) continue;
    json::value* mine = out.if_contains(keyword);
    if (!mine) {
      out[keyword] = value;
    } else if (keyword == "type") {
      HERD_TRY(const json::array left, types_of(a.get_object(), where));
      HERD_TRY(const json::array right, types_of(b.get_object(), where));
      json::array types = common(left, right);
      const json::value integer("integer");
      if ((holds(left, integer) && holds(right, "number")) ||
          (holds(right, integer) && holds(left, "number")))
        types.push_back(integer);
      if (types.empty()) return json::value(false);
      *mine = types;
    } else if (keyword == "const" && *mine != value) {
      return json::value(false);
    } else {
      HERD_TRY(*mine, both(keyword, *mine, value, where + "/" + std::string(keyword)));
    }
  }
  return out;
}

}  // namespace herd::grammar
