#include "grammar/schema_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "grammar/characters.h"
#include "grammar/schema_merge.h"
#include "grammar/schema_reference.h"

namespace herd::grammar {
namespace {

// Keywords that are followed; what is neither here nor an annotation is refused by name.
constexpr auto known_keywords = std::to_array<std::string_view>({"type",
                                                                 "enum",
                                                                 "const",
                                                                 "anyOf",
                                                                 "oneOf",
                                                                 "allOf",
                                                                 "$ref",
                                                                 "properties",
                                                                 "required",
                                                                 "additionalProperties",
                                                                 "patternProperties",
                                                                 "minProperties",
                                                                 "maxProperties",
                                                                 "items",
                                                                 "prefixItems",
                                                                 "minItems",
                                                                 "maxItems",
                                                                 "uniqueItems",
                                                                 "minLength",
                                                                 "maxLength",
                                                                 "pattern",
                                                                 "format",
                                                                 "minimum",
                                                                 "maximum",
                                                                 "exclusiveMinimum",
                                                                 "exclusiveMaximum",
                                                                 "multipleOf",
                                                                 "$id"});

bool is_known(std::string_view keyword) {
  return std::ranges::find(known_keywords, keyword) != known_keywords.end();
}

// Steps of work that a schema of this size stands for when it is copied.
std::uint64_t weight_of(const json::value& value) {
  std::uint64_t sum = 8;
  if (value.is_array())
    for (const json::value& item : value.get_array()) sum += weight_of(item);
  if (value.is_object())
    for (const auto& member : value.get_object()) sum += weight_of(member.value());
  return sum;
}

}  // namespace

std::string escaped_pointer(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._!$&'()*+,;=@").contains(c);
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

Result<NodeId> SchemaReader::read() {
  if (weight_of(root_) > limits::schema_nodes_max * 1024)
    return refuse("#", "the schema is too large", Code::schema_too_complex);
  auto rule = referred("#");
  if (!rule) {
    Error error = std::move(rule).error();
    if (error.code == Code::invalid_grammar) error.code = Code::invalid_schema;
    // What reads parts of schemas names the place alone.
    constexpr std::string_view lead = "the schema at ";
    if (!error.message.starts_with(lead))
      error.message =
          fmt::format("{}{}{}", lead, error.message.starts_with('#') ? "" : "#: ", error.message);
    return std::unexpected(std::move(error));
  }
  return g_.call(*rule);
}

Result<NodeId> SchemaReader::read_keywords() {
  const json::value* at = &root_;
  for (int i = 0; i < 32; ++i) {
    const json::value* const ref = find(*at, "$ref");
    if (ref == nullptr || !ref->is_string()) break;
    HERD_TRY(at, resolve(std::string(ref->get_string())));
  }
  if (!at->is_object()) return g_.never();
  return object(at->get_object(), "#", Spelling::keywords);
}

std::unexpected<Error> SchemaReader::refuse(const std::string& where, std::string_view what,
                                            Code code) {
  return fail(code, "the schema at {}: {}", where, what);
}

Result<> SchemaReader::unsupported(const std::string& where, std::string_view what) {
  if (strict_) return refuse(where, what);
  constexpr std::size_t told_max = 64;
  if (ignored_.size() < told_max && std::ranges::find(ignored_, where) == ignored_.end())
    ignored_.push_back(where);
  return {};
}

// Where the two cannot be said in one and that is not wanted strictly, the first of them.
Result<json::value> SchemaReader::merge(const json::value& a, const json::value& b,
                                        const std::string& where) {
  steps_ += weight_of(a) + weight_of(b);
  if (steps_ > limits::compile_steps_max)
    return refuse(where, "its parts are merged too often", Code::schema_too_complex);
  auto one = merged(a, b, where);
  if (one || one.error().code != Code::invalid_schema) return one;
  HERD_TRY_VOID(unsupported(where, one.error().message));
  return a;
}

Result<const json::value*> SchemaReader::resolve(const std::string& pointer) {
  return schema_at(root_, pointer);
}

NodeId SchemaReader::as_rule(std::string name, NodeId body) {
  if (g_.is_never(body) || g_.nodes()[body].kind == NodeKind::call) return body;
  const RuleId rule = g_.add_rule(std::move(name));
  g_.define(rule, body);
  return g_.call(rule);
}

// The rule of a schema that a $ref names; made once, so that it may refer to itself.
Result<RuleId> SchemaReader::referred(const std::string& pointer) {
  if (const auto found = referred_.find(pointer); found != referred_.end()) return found->second;
  HERD_TRY(const json::value* const target, resolve(pointer));
  const RuleId rule = g_.add_rule(pointer);
  referred_.emplace(pointer, rule);
  // What is referred to is nested anew, not below the one who refers.
  const std::uint64_t depth = std::exchange(depth_, 0);
  HERD_TRY(const NodeId body, any_of(*target, pointer));
  depth_ = depth;
  g_.define(rule, body);
  return rule;
}

Result<NodeId> SchemaReader::any_of(const json::value& schema, const std::string& where) {
  if (++nodes_ > limits::schema_nodes_max)
    return refuse(where, fmt::format("more than {} subschemas", limits::schema_nodes_max),
                  Code::schema_too_complex);
  if (++depth_ > limits::depth_max)
    return refuse(where, fmt::format("nested more than {} deep", limits::depth_max),
                  Code::schema_too_complex);
  if (++levels_ > limits::levels_max)
    return refuse(where,
                  fmt::format("nested more than {} deep, references included", limits::levels_max),
                  Code::schema_too_complex);
  auto out = read_at(schema, where);
  --levels_;
  --depth_;
  return out;
}

Result<NodeId> SchemaReader::read_at(const json::value& schema, const std::string& where) {
  if (schema.is_bool()) return schema.get_bool() ? json_.value() : g_.never();
  if (!schema.is_object()) return refuse(where, "a schema is an object or a boolean");
  const Object& object = schema.get_object();
  for (const auto& [keyword, value] : object)
    if (!is_annotation(keyword) && !is_known(keyword))
      HERD_TRY_VOID(unsupported(where + "/" + escaped_pointer(keyword),
                                fmt::format("the keyword {} is not supported", shown(keyword))));
  Object rest;
  for (const auto& [keyword, value] : object)
    if (is_known(keyword) && keyword != "$id") rest[keyword] = value;
  if (object.contains("$id") && where != "#")
    HERD_TRY_VOID(unsupported(where + "/$id", "$id is supported at the root only"));
  if (rest.empty()) return json_.value();
  for (const std::string_view keyword : {"$ref", "allOf", "anyOf", "oneOf"})
    if (rest.contains(keyword)) {
      const json::value value = rest[keyword];
      rest.erase(keyword);
      const std::string at = where + "/" + std::string(keyword);
      if (keyword == "$ref") return reference(value, rest, at);
      if (!value.is_array() || value.get_array().empty())
        return refuse(at, "a list of schemas is wanted");
      if (keyword == "allOf") return all_of(value.get_array(), rest, at);
      return one_of(value.get_array(), rest, at, keyword == "oneOf");
    }
  if (rest.contains("const")) return constants({rest["const"]}, rest, "const", where);
  if (const json::value* list = rest.if_contains("enum")) {
    if (!list->is_array()) return refuse(where + "/enum", "a list is wanted");
    return constants(list->get_array(), rest, "enum", where);
  }
  return typed(rest, where);
}

Result<NodeId> SchemaReader::reference(const json::value& value, const Object& rest,
                                       const std::string& where) {
  if (!value.is_string()) return refuse(where, "a string is wanted");
  const std::string pointer(value.get_string());
  if (rest.empty()) {
    HERD_TRY(const RuleId rule, referred(pointer));
    return g_.call(rule);
  }
  HERD_TRY(const json::value* const target, resolve(pointer));
  HERD_TRY(const json::value one, merge(*target, rest, where));
  return any_of(one, where);
}

// The schema without a $ref of its own: what it names, and what stands beside it.
Result<json::value> SchemaReader::inlined(json::value schema, const std::string& where) {
  for (int i = 0; find(schema, "$ref") != nullptr; ++i) {
    const json::value ref = schema.get_object()["$ref"];
    if (!ref.is_string() || i > 32) return refuse(where, "a $ref that is no string, or a cycle");
    HERD_TRY(const json::value* const target, resolve(std::string(ref.get_string())));
    schema.get_object().erase("$ref");
    HERD_TRY(schema, merge(*target, schema, where));
  }
  return schema;
}

Result<NodeId> SchemaReader::all_of(const json::array& parts, const Object& rest,
                                    const std::string& where) {
  json::value all = rest;
  for (const json::value& part : parts) {
    HERD_TRY(const json::value resolved, inlined(part, where));
    HERD_TRY(all, merge(all, resolved, where));
  }
  return any_of(all, where);
}

Result<NodeId> SchemaReader::one_of(const json::array& branches, const Object& rest,
                                    const std::string& where, bool exactly) {
  if (exactly && branches.size() > 1) HERD_TRY_VOID(require_disjoint(branches, where));
  std::vector<NodeId> ways;
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const std::string at = fmt::format("{}/{}", where, i);
    json::value branch = branches[i];
    if (!rest.empty()) {
      HERD_TRY(branch, inlined(std::move(branch), at));
      HERD_TRY(branch, merge(rest, branch, at));
    }
    HERD_TRY(const NodeId way, any_of(branch, at));
    ways.push_back(way);
  }
  return g_.choice(std::move(ways));
}

// Branches that no document can be in together: different types, different constants, or a required property whose
// constants differ.
Result<> SchemaReader::require_disjoint(const json::array& branches, const std::string& where) {
  for (std::size_t i = 0; i < branches.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      constexpr std::uint64_t pair_steps = 256;
      if ((steps_ += pair_steps) > limits::compile_steps_max)
        return refuse(where, "too many branches", Code::schema_too_complex);
      HERD_TRY(const bool apart, disjoint(root_, branches[i], branches[j]));
      if (!apart)
        return unsupported(where,
                           fmt::format("branches {} and {} may both be valid, which oneOf "
                                       "forbids and a grammar cannot see; anyOf is supported",
                                       j, i));
    }
  return {};
}

// Constants, those of them that the keywords beside allow.
Result<NodeId> SchemaReader::constants(const json::array& values, Object rest,
                                       std::string_view keyword, const std::string& where) {
  if (values.size() > limits::enum_values_max)
    return refuse(where,
                  fmt::format("{} values in one enum, at most {} are taken", values.size(),
                              limits::enum_values_max),
                  Code::schema_too_complex);
  rest.erase(keyword);
  std::vector<NodeId> ways;
  for (const json::value& value : values) {
    if (!rest.empty()) {
      HERD_TRY(const bool fits, allows(rest, value, where));
      if (!fits) continue;
    }
    HERD_TRY(const NodeId way, constant(value));
    ways.push_back(way);
  }
  return g_.choice(std::move(ways));
}

Result<NodeId> SchemaReader::constant(const json::value& value) {
  if (value.is_string()) return quoted(value.get_string());
  const auto list = [&](const char* open, const std::vector<NodeId>& items, const char* close) {
    std::vector<NodeId> parts{g_.text(open), json_.space()};
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) parts.push_back(json_.comma());
      parts.insert(parts.end(), {items[i], json_.space()});
    }
    parts.push_back(g_.text(close));
    return g_.sequence(std::move(parts));
  };
  std::vector<NodeId> items;
  if (value.is_array()) {
    for (const json::value& item : value.get_array()) {
      HERD_TRY(const NodeId node, constant(item));
      items.push_back(node);
    }
    return list("[", items, "]");
  }
  if (value.is_object()) {
    for (const auto& [name, item] : value.get_object()) {
      HERD_TRY(const NodeId key, quoted(name));
      HERD_TRY(const NodeId node, constant(item));
      items.push_back(g_.sequence({key, json_.colon(), node}));
    }
    return list("{", items, "}");
  }
  if (value.is_double()) {
    const double number = value.get_double();
    constexpr double exact = 9e15;
    if (number == std::floor(number) && std::abs(number) < exact)
      return g_.text(fmt::format("{}", static_cast<std::int64_t>(number)));
    return g_.text(fmt::format("{}", number));
  }
  return g_.text(json::serialize(value));
}

Result<NodeId> SchemaReader::quoted(std::string_view text) {
  HERD_TRY(const NodeId inner, literal(g_, text, Writing::json_string));
  return g_.sequence({g_.text("\""), inner, g_.text("\"")});
}

Result<bool> SchemaReader::allows(const Object& schema, const json::value& value,
                                  const std::string& where) {
  if (schema.size() == 1 && schema.contains("type")) {
    HERD_TRY(const json::array types, types_of(schema, where));
    const std::string_view type = value.is_object()   ? "object"
                                  : value.is_array()  ? "array"
                                  : value.is_string() ? "string"
                                  : value.is_bool()   ? "boolean"
                                  : value.is_null()   ? "null"
                                  : value.is_double() ? "number"
                                                      : "integer";
    return std::ranges::any_of(types, [&](const json::value& one) {
      return one.get_string() == type || (type == "integer" && one == "number");
    });
  }
  HERD_TRY_VOID(
      unsupported(where, "const or enum beside other keywords than type is not supported"));
  return true;
}

}  // namespace herd::grammar
