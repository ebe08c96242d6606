#include "grammar/json_schema.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/check.h"
#include "grammar/formats.h"
#include "grammar/number_range.h"
#include "grammar/regex.h"
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

std::string escaped_pointer(std::string_view name) {
  std::string out;
  for (const char c : name) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

class Reader {
 public:
  Reader(const json::value& root, JsonStyle style) : root_(root), json_(g_, style) {}

  Result<Compiled> run() {
    HERD_TRY(const RuleId rule, referred("#"));
    HERD_TRY(Compiled compiled, Compiled::build(g_, rule));
    return compiled;
  }

 private:
  using Object = json::object;

  [[nodiscard]] static std::unexpected<Error> refuse(const std::string& where,
                                                     std::string_view what) {
    return fail(Code::out_of_range, "the schema at {}: {}", where, what);
  }

  // The rule of a schema that a $ref names; made once, so that it may refer to itself.
  Result<RuleId> referred(const std::string& pointer) {
    if (const auto found = referred_.find(pointer); found != referred_.end()) return found->second;
    HERD_TRY(const json::value* const target, resolve(pointer));
    const RuleId rule = g_.add_rule(pointer);
    referred_.emplace(pointer, rule);
    // What is referred to is nested anew, not below the one who refers.
    const std::uint64_t depth = std::exchange(depth_, 0);
    if (++references_ > limits::depth_max * 8) return refuse(pointer, "references are too deep");
    HERD_TRY(const NodeId body, any_of(*target, pointer));
    --references_;
    depth_ = depth;
    g_.define(rule, body);
    return rule;
  }

  Result<const json::value*> resolve(const std::string& pointer) {
    return schema_at(root_, pointer);
  }

  Result<NodeId> any_of(const json::value& schema, const std::string& where) {
    if (++nodes_ > limits::schema_nodes_max)
      return refuse(where, fmt::format("more than {} subschemas", limits::schema_nodes_max));
    if (++depth_ > limits::depth_max)
      return refuse(where, fmt::format("nested more than {} deep", limits::depth_max));
    auto out = read(schema, where);
    --depth_;
    return out;
  }

  Result<NodeId> read(const json::value& schema, const std::string& where) {
    if (schema.is_bool()) return schema.get_bool() ? json_.value() : g_.never();
    if (!schema.is_object()) return refuse(where, "a schema is an object or a boolean");
    const Object& object = schema.get_object();
    for (const auto& [keyword, value] : object)
      if (!is_annotation(keyword) &&
          std::ranges::find(known_keywords, std::string_view(keyword)) == known_keywords.end())
        return refuse(where + "/" + escaped_pointer(keyword),
                      fmt::format("the keyword {} is not supported", shown(keyword)));
    Object rest;
    for (const auto& [keyword, value] : object)
      if (!is_annotation(keyword) && keyword != "$id") rest[keyword] = value;
    if (object.contains("$id") && where != "#")
      return refuse(where, "$id is supported at the root only");
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

  Result<NodeId> reference(const json::value& value, const Object& rest, const std::string& where) {
    if (!value.is_string()) return refuse(where, "a string is wanted");
    const std::string pointer(value.get_string());
    if (rest.empty()) {
      HERD_TRY(const RuleId rule, referred(pointer));
      return g_.call(rule);
    }
    HERD_TRY(const json::value* const target, resolve(pointer));
    HERD_TRY(const json::value one, merged(*target, rest, where));
    return any_of(one, where);
  }

  Result<NodeId> all_of(const json::array& parts, const Object& rest, const std::string& where) {
    json::value all = rest;
    for (const json::value& part : parts) {
      json::value resolved = part;
      for (int i = 0; resolved.is_object() && resolved.get_object().contains("$ref"); ++i) {
        const json::value ref = resolved.get_object()["$ref"];
        if (!ref.is_string() || i > 32)
          return refuse(where, "a $ref that is no string, or a cycle");
        HERD_TRY(const json::value* const target, resolve(std::string(ref.get_string())));
        resolved.get_object().erase("$ref");
        HERD_TRY(resolved, merged(*target, resolved, where));
      }
      HERD_TRY(all, merged(all, resolved, where));
    }
    return any_of(all, where);
  }

  Result<NodeId> one_of(const json::array& branches, const Object& rest, const std::string& where,
                        bool exactly) {
    if (exactly && branches.size() > 1) HERD_TRY_VOID(require_disjoint(branches, where));
    std::vector<NodeId> ways;
    for (std::size_t i = 0; i < branches.size(); ++i) {
      const std::string at = fmt::format("{}/{}", where, i);
      json::value branch = branches[i];
      if (!rest.empty()) {
        if (const json::value* ref = find(branch, "$ref"); ref && ref->is_string()) {
          HERD_TRY(const json::value* const target, resolve(std::string(ref->get_string())));
          branch = *target;
        }
        HERD_TRY(branch, merged(rest, branch, at));
      }
      HERD_TRY(const NodeId way, any_of(branch, at));
      ways.push_back(way);
    }
    return g_.choice(std::move(ways));
  }

  // Branches that no document can be in together: different types, different constants, or a required property whose
  // constants differ.
  Result<> require_disjoint(const json::array& branches, const std::string& where) {
    for (std::size_t i = 0; i < branches.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) {
        HERD_TRY(const bool apart, disjoint(root_, branches[i], branches[j]));
        if (!apart)
          return refuse(where, fmt::format("branches {} and {} may both be valid, which oneOf "
                                           "forbids and a grammar cannot see; anyOf is supported",
                                           j, i));
      }
    return {};
  }

  // Constants, those of them that the keywords beside allow.
  Result<NodeId> constants(const json::array& values, Object rest, std::string_view keyword,
                           const std::string& where) {
    if (values.size() > limits::enum_values_max)
      return refuse(where, fmt::format("{} values in one enum, at most {} are taken", values.size(),
                                       limits::enum_values_max));
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

  // Asked of a grammar of its own: the value's text has to be in it.
  Result<bool> allows(const Object& schema, const json::value& value, const std::string& where);

  Result<NodeId> constant(const json::value& value) {
    if (value.is_string()) return quoted(value.get_string());
    const auto list = [&](const char* open, const std::vector<NodeId>& items, const char* close) {
      std::vector<NodeId> parts{g_.text(open), json_.space()};
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) parts.insert(parts.end(), {g_.text(","), json_.space()});
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
        items.push_back(g_.sequence({key, json_.space(), g_.text(":"), json_.space(), node}));
      }
      return list("{", items, "}");
    }
    return g_.text(json::serialize(value));
  }

  Result<NodeId> quoted(std::string_view text) {
    HERD_TRY(const NodeId inner, literal(g_, text, Writing::json_string));
    return g_.sequence({g_.text("\""), inner, g_.text("\"")});
  }

  Result<NodeId> typed(const Object& schema, const std::string& where) {
    HERD_TRY(const json::array types, types_of(schema, where));
    std::vector<NodeId> ways;
    for (const json::value& type : types) {
      HERD_TRY(const NodeId way, of_type(type.get_string(), schema, where));
      ways.push_back(way);
    }
    return g_.choice(std::move(ways));
  }

  Result<NodeId> of_type(std::string_view type, const Object& schema, const std::string& where) {
    if (type == "object") return object(schema, where);
    if (type == "array") return array(schema, where);
    if (type == "string") return string(schema, where);
    if (type == "number" || type == "integer") return number(schema, where, type == "integer");
    if (type == "boolean") return g_.choice({g_.text("true"), g_.text("false")});
    return g_.text("null");
  }

  // A keyword whose value is a count. `missing` where it is not there.
  static Result<std::uint32_t> count(const Object& schema, std::string_view keyword,
                                     std::uint32_t missing, const std::string& where) {
    const json::value* value = schema.if_contains(keyword);
    if (!value) return missing;
    const double number = value->is_number() ? value->to_number<double>() : -1;
    if (number < 0 || number != std::floor(number))
      return refuse(where + "/" + std::string(keyword), "a count is wanted");
    if (number > static_cast<double>(limits::repeat_max))
      return refuse(where + "/" + std::string(keyword),
                    fmt::format("{} is more than the limit of {}", number, limits::repeat_max));
    return static_cast<std::uint32_t>(number);
  }

  Result<NodeId> string(const Object& schema, const std::string& where);
  Result<NodeId> number(const Object& schema, const std::string& where, bool integer);
  Result<NodeId> array(const Object& schema, const std::string& where);
  Result<NodeId> object(const Object& schema, const std::string& where);
  Result<NodeId> other_members(const Object& schema, const Object& properties,
                               const std::string& where);
  NodeId member(NodeId key, NodeId value) {
    return g_.sequence({key, json_.space(), g_.text(":"), json_.space(), value});
  }
  // A rule of its own, so that repeating it does not repeat its states.
  NodeId as_rule(std::string name, NodeId body) {
    if (g_.is_never(body) || g_.nodes()[body].kind == NodeKind::call) return body;
    const RuleId rule = g_.add_rule(std::move(name));
    g_.define(rule, body);
    return g_.call(rule);
  }

  const json::value& root_;
  Grammar g_;
  JsonRules json_;
  std::map<std::string, RuleId> referred_;
  std::uint64_t nodes_ = 0;
  std::uint64_t depth_ = 0;
  std::uint64_t references_ = 0;
};

Result<bool> Reader::allows(const Object& schema, const json::value& value,
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
  return refuse(where, "const or enum beside other keywords than type is not supported");
}

Result<NodeId> Reader::string(const Object& schema, const std::string& where) {
  HERD_TRY(const std::uint32_t least, count(schema, "minLength", 0, where));
  HERD_TRY(const std::uint32_t most, count(schema, "maxLength", unlimited, where));
  if (most < least) return g_.never();
  const json::value* pattern = schema.if_contains("pattern");
  const json::value* format = schema.if_contains("format");
  if (!pattern && !format) {
    if (least == 0 && most == unlimited) return json_.string();
    return g_.sequence({g_.text("\""), g_.repeat(json_.character(), least, most), g_.text("\"")});
  }
  std::optional<Automaton> all;
  const auto add = [&](Grammar& parts, NodeId node) -> Result<> {
    HERD_TRY(Automaton one, regular(parts, node));
    if (all) {
      HERD_TRY(all, intersection(*all, one));
    } else {
      all = std::move(one);
    }
    return {};
  };
  Grammar parts;
  if (pattern) {
    if (!pattern->is_string()) return refuse(where + "/pattern", "a string is wanted");
    auto node = read_regex(parts, pattern->get_string(), Writing::json_string, false);
    if (!node) return std::unexpected(std::move(node.error()).in("the schema at " + where));
    HERD_TRY_VOID(add(parts, *node));
  }
  if (format) {
    const std::string_view known =
        format->is_string() ? pattern_of_format(format->get_string()) : std::string_view();
    if (known.empty())
      return refuse(where + "/format",
                    fmt::format("the format {} is not supported", shown(json::serialize(*format))));
    HERD_TRY(const NodeId node, read_regex(parts, known, Writing::json_string, true));
    HERD_TRY_VOID(add(parts, node));
  }
  if (least > 0 || most != unlimited) {
    const NodeId one = characters(parts, CharSet::all(), Writing::json_string);
    HERD_TRY_VOID(add(parts, parts.repeat(one, least, most)));
  }
  return g_.sequence({g_.text("\""), g_.automaton(*std::move(all)), g_.text("\"")});
}

Result<NodeId> Reader::number(const Object& schema, const std::string& where, bool integer) {
  NumberRange range;
  range.integer = integer;
  for (const std::string_view keyword :
       {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
    const json::value* value = schema.if_contains(keyword);
    if (!value) continue;
    const std::string at = where + "/" + std::string(keyword);
    if (!value->is_number()) return refuse(at, "a number is wanted");
    const bool is_double = value->is_double();
    const std::string text =
        is_double ? fmt::format("{}", value->get_double()) : json::serialize(*value);
    if (text.find('e') != std::string::npos)
      return refuse(at, "a bound with an exponent is not supported");
    const Bound bound = Bound::of(text, !keyword.starts_with("exclusive"));
    std::optional<Bound>& side = keyword.ends_with("inimum") ? range.least : range.most;
    if (side) {  // both forms: the tighter one holds
      const bool lower = keyword.ends_with("inimum");
      const double now = value->to_number<double>();
      const double then = schema.at(lower ? "minimum" : "maximum").to_number<double>();
      if (lower ? now < then : now > then) continue;
    }
    side = bound;
  }
  if (const json::value* multiple = schema.if_contains("multipleOf")) {
    const double of = multiple->is_number() ? multiple->to_number<double>() : 0;
    if (of <= 0 || of != std::floor(of) || of > 1000)
      return refuse(where + "/multipleOf", "whole numbers from 1 to 1000 are supported");
    range.integer = true;
    range.multiple_of = static_cast<std::uint32_t>(of);
  }
  if (!range.least && !range.most && range.multiple_of <= 1)
    return range.integer ? json_.integer() : json_.number();
  return number_in(g_, range);
}

Result<NodeId> Reader::array(const Object& schema, const std::string& where) {
  HERD_TRY(const std::uint32_t least, count(schema, "minItems", 0, where));
  HERD_TRY(std::uint32_t most, count(schema, "maxItems", unlimited, where));
  if (const json::value* unique = schema.if_contains("uniqueItems"))
    if (*unique != json::value(false) && most > 1)
      return refuse(where + "/uniqueItems", "the keyword uniqueItems is not supported");
  std::vector<NodeId> prefix;
  if (const json::value* list = schema.if_contains("prefixItems")) {
    if (!list->is_array()) return refuse(where + "/prefixItems", "a list is wanted");
    for (std::size_t i = 0; i < list->get_array().size(); ++i) {
      const std::string at = fmt::format("{}/prefixItems/{}", where, i);
      HERD_TRY(const NodeId item, any_of(list->get_array()[i], at));
      prefix.push_back(item);
    }
  }
  NodeId others = json_.value();
  if (const json::value* items = schema.if_contains("items")) {
    HERD_TRY(others, any_of(*items, where + "/items"));
  }
  others = as_rule(where + "/items", others);
  // From the last possible item to the first: what may follow item i, and nothing where the list may end.
  const auto fixed = static_cast<std::uint32_t>(prefix.size());
  const auto comma = [&](std::uint32_t i) {
    return i == 0 ? g_.empty() : g_.sequence({g_.text(","), json_.space()});
  };
  const auto rest = [&](std::uint32_t from) -> NodeId {  // `from` items came before
    if (most <= from) return least > from ? g_.never() : g_.empty();
    const std::uint32_t wanted = least > from ? least - from : 0;
    const std::uint32_t room = most == unlimited ? unlimited : most - from;
    const NodeId next = g_.sequence({g_.text(","), json_.space(), others, json_.space()});
    if (from > 0) return g_.repeat(next, wanted, room);
    const NodeId first = g_.sequence(
        {others, json_.space(),
         g_.repeat(next, wanted > 0 ? wanted - 1 : 0, room == unlimited ? unlimited : room - 1)});
    return wanted > 0 ? first : g_.optional(first);
  };
  NodeId tail = rest(fixed);
  for (std::uint32_t i = fixed; i-- > 0;) {
    if (i >= most) {
      tail = least > i ? g_.never() : g_.empty();
      continue;
    }
    const NodeId more = g_.sequence({comma(i), prefix[i], json_.space(), tail});
    tail = least > i ? more : g_.optional(more);
  }
  return g_.sequence({g_.text("["), json_.space(), tail, g_.text("]")});
}

// `"name": value` for all names that `properties` does not list; never when there are none.
Result<NodeId> Reader::other_members(const Object& schema, const Object& properties,
                                     const std::string& where) {
  Grammar parts;
  const NodeId any =
      parts.repeat(characters(parts, CharSet::all(), Writing::json_string), 0, unlimited);
  HERD_TRY(Automaton free, regular(parts, any));
  if (!properties.empty()) {
    std::vector<NodeId> names;
    for (const auto& [name, unused] : properties) {
      HERD_TRY(const NodeId node, literal(parts, name, Writing::json_string));
      names.push_back(node);
    }
    HERD_TRY(const Automaton listed, regular(parts, parts.choice(std::move(names))));
    HERD_TRY(free, difference(free, listed));
  }
  std::vector<NodeId> ways;
  const auto add = [&](Automaton names, const json::value& value,
                       const std::string& at) -> Result<> {
    HERD_TRY(const NodeId node, any_of(value, at));
    const NodeId key = g_.sequence({g_.text("\""), g_.automaton(std::move(names)), g_.text("\"")});
    ways.push_back(member(key, node));
    return {};
  };
  if (const json::value* patterns = schema.if_contains("patternProperties")) {
    const std::string at = where + "/patternProperties";
    if (!patterns->is_object()) return refuse(at, "an object is wanted");
    for (const auto& [pattern, value] : patterns->get_object()) {
      auto node = read_regex(parts, pattern, Writing::json_string, false);
      if (!node) return std::unexpected(std::move(node.error()).in("the schema at " + at));
      HERD_TRY(const Automaton names, regular(parts, *node));
      for (const auto& [name, unused] : properties) {
        HERD_TRY(const NodeId one, literal(parts, name, Writing::json_string));
        HERD_TRY(const Automaton listed, regular(parts, one));
        HERD_TRY(const Automaton shared, intersection(names, listed));
        if (!accepts_nothing(shared))
          return refuse(at, fmt::format("the pattern {} also fits the property {}, which is not "
                                        "supported",
                                        shown(pattern), shown(name)));
      }
      HERD_TRY(Automaton own, intersection(free, names));
      HERD_TRY(free, difference(free, names));
      for (const auto& [other, unused] : patterns->get_object()) {
        if (other == pattern) break;
        HERD_TRY(const NodeId earlier, read_regex(parts, other, Writing::json_string, false));
        HERD_TRY(const Automaton theirs, regular(parts, earlier));
        HERD_TRY(const Automaton shared, intersection(names, theirs));
        if (!accepts_nothing(shared))
          return refuse(at, "two patterns that fit the same name are not supported");
      }
      HERD_TRY_VOID(add(std::move(own), value, at + "/" + escaped_pointer(pattern)));
    }
  }
  const json::value* additional = schema.if_contains("additionalProperties");
  HERD_TRY_VOID(add(std::move(free), additional ? *additional : json::value(true),
                    where + "/additionalProperties"));
  return as_rule(where + "/additionalProperties", g_.choice(std::move(ways)));
}

Result<NodeId> Reader::object(const Object& schema, const std::string& where) {
  Object properties;
  if (const json::value* value = schema.if_contains("properties")) {
    if (!value->is_object()) return refuse(where + "/properties", "an object is wanted");
    properties = value->get_object();
  }
  std::set<std::string> required;
  if (const json::value* list = schema.if_contains("required")) {
    if (!list->is_array()) return refuse(where + "/required", "a list is wanted");
    for (const json::value& name : list->get_array()) {
      if (!name.is_string()) return refuse(where + "/required", "a list of names is wanted");
      required.emplace(name.get_string());
      if (properties.contains(name.get_string())) continue;
      // Required and not described: what other names may hold.
      if (schema.contains("patternProperties"))
        return refuse(where + "/required",
                      "a name that properties does not list, beside "
                      "patternProperties, is not supported");
      const json::value* additional = schema.if_contains("additionalProperties");
      properties[name.get_string()] = additional ? *additional : json::value(true);
    }
  }
  HERD_TRY(const NodeId other, other_members(schema, properties, where));
  HERD_TRY(const std::uint32_t least, count(schema, "minProperties", 0, where));
  HERD_TRY(const std::uint32_t most, count(schema, "maxProperties", unlimited, where));
  if (least > required.size() ||
      (most != unlimited && (most < properties.size() || !g_.is_never(other))))
    return refuse(where,
                  "minProperties or maxProperties that say more than required and "
                  "additionalProperties are not supported");

  struct Member {
    NodeId node;
    bool required;
  };
  std::vector<Member> members;
  for (const auto& [name, value] : properties) {
    const std::string at = where + "/properties/" + escaped_pointer(name);
    HERD_TRY(const NodeId node, any_of(value, at));
    HERD_TRY(const NodeId key, quoted(name));
    members.push_back(
        {g_.is_never(node) ? node : member(key, node), required.contains(std::string(name))});
  }
  const NodeId comma = g_.sequence({g_.text(","), json_.space()});
  // after[i]: what may follow when some member came before member i.
  NodeId after = g_.repeat(g_.sequence({comma, other, json_.space()}), 0, unlimited);
  NodeId first = g_.optional(g_.sequence({other, json_.space(), after}));
  for (std::size_t i = members.size(); i-- > 0;) {
    const NodeId own = members[i].node;
    const NodeId as_first = g_.sequence({own, json_.space(), after});
    first = members[i].required ? as_first : g_.choice({as_first, first});
    const NodeId next = g_.sequence({comma, own, json_.space()});
    after = g_.sequence({members[i].required ? next : g_.optional(next), after});
    // Optional members at the front are each a possible first: what follows is shared as a rule.
    if (i > 0 && !members[i - 1].required)
      after = as_rule(fmt::format("{} after {}", where, i), after);
  }
  return g_.sequence({g_.text("{"), json_.space(), first, g_.text("}")});
}

}  // namespace

Result<Compiled> compile_json_schema(const json::value& schema, JsonStyle style) {
  return Reader(schema, style).run();
}

Result<Compiled> compile_json_object(JsonStyle style) {
  Grammar grammar;
  JsonRules rules(grammar, style);
  const RuleId root = grammar.add_rule("object");
  grammar.define(root, rules.object());
  return Compiled::build(grammar, root);
}

}  // namespace herd::grammar
