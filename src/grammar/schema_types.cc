// Schemas of one type: strings, numbers, lists and objects. The declarations are in schema_reader.h.
#include <algorithm>
#include <cmath>
#include <optional>

#include "grammar/characters.h"
#include "grammar/formats.h"
#include "grammar/number_range.h"
#include "grammar/regex.h"
#include "grammar/schema_merge.h"
#include "grammar/schema_reader.h"

namespace herd::grammar {
namespace {

bool is_identifier(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

NodeId SchemaReader::member(NodeId key, NodeId value) {
  return g_.sequence({key, json_.colon(), value});
}

Result<NodeId> SchemaReader::typed(const Object& schema, const std::string& where) {
  HERD_TRY(const json::array types, types_of(schema, where));
  std::vector<NodeId> ways;
  for (const json::value& type : types) {
    HERD_TRY(const NodeId way, of_type(type.get_string(), schema, where));
    ways.push_back(way);
  }
  return g_.choice(std::move(ways));
}

Result<NodeId> SchemaReader::of_type(std::string_view type, const Object& schema,
                                     const std::string& where) {
  if (type == "object") return object(schema, where, Spelling::json);
  if (type == "array") return array(schema, where);
  if (type == "string") return string(schema, where);
  if (type == "number" || type == "integer") return number(schema, where, type == "integer");
  if (type == "boolean") return g_.choice({g_.text("true"), g_.text("false")});
  return g_.text("null");
}

// A keyword whose value is a count. `missing` where it is not there.
Result<std::uint32_t> SchemaReader::count(const Object& schema, std::string_view keyword,
                                          std::uint32_t missing, const std::string& where) {
  const json::value* value = schema.if_contains(keyword);
  if (!value) return missing;
  const double number = value->is_number() ? value->to_number<double>() : -1;
  if (number < 0 || number != std::floor(number))
    return refuse(where + "/" + std::string(keyword), "a count is wanted");
  if (number > static_cast<double>(limits::repeat_max))
    return refuse(where + "/" + std::string(keyword),
                  fmt::format("{} is more than the limit of {}", number, limits::repeat_max),
                  Code::schema_too_complex);
  return static_cast<std::uint32_t>(number);
}

Result<NodeId> SchemaReader::string(const Object& schema, const std::string& where) {
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
    HERD_TRY(Automaton one, regular(parts, node, steps_));
    if (all) {
      HERD_TRY(all, intersection(*all, one, steps_));
    } else {
      all = std::move(one);
    }
    return {};
  };
  Grammar parts;
  if (pattern) {
    if (!pattern->is_string()) return refuse(where + "/pattern", "a string is wanted");
    auto node = read_regex(parts, pattern->get_string(), Writing::json_string, false);
    if (node) {
      HERD_TRY_VOID(add(parts, *node));
    } else if (node.error().code == Code::invalid_grammar) {
      HERD_TRY_VOID(unsupported(where + "/pattern", node.error().message));
    } else {
      return std::unexpected(std::move(node.error()).in("the schema at " + where + "/pattern"));
    }
  }
  if (format) {
    const std::string_view known =
        format->is_string() ? pattern_of_format(format->get_string()) : std::string_view();
    if (known.empty()) {
      HERD_TRY_VOID(unsupported(where + "/format", fmt::format("the format {} is not supported",
                                                               shown(json::serialize(*format)))));
    } else {
      HERD_TRY(const NodeId node, read_regex(parts, known, Writing::json_string, true));
      HERD_TRY_VOID(add(parts, node));
    }
  }
  if (least > 0 || most != unlimited) {
    const NodeId one = characters(parts, CharSet::all(), Writing::json_string);
    HERD_TRY_VOID(add(parts, parts.repeat(one, least, most)));
  }
  if (!all) return json_.string();
  return g_.sequence({g_.text("\""), g_.automaton(*std::move(all)), g_.text("\"")});
}

Result<NodeId> SchemaReader::number(const Object& schema, const std::string& where, bool integer) {
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
    if (text.find('e') != std::string::npos) {
      HERD_TRY_VOID(unsupported(at, "a bound with an exponent is not supported"));
      continue;
    }
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
    if (of <= 0) return refuse(where + "/multipleOf", "a number above 0 is wanted");
    if (of != std::floor(of) || of > 1000) {
      HERD_TRY_VOID(
          unsupported(where + "/multipleOf", "whole numbers from 1 to 1000 are supported"));
    } else {
      range.integer = true;
      range.multiple_of = static_cast<std::uint32_t>(of);
    }
  }
  if (!range.least && !range.most && range.multiple_of <= 1)
    return range.integer ? json_.integer() : json_.number();
  return number_in(g_, range, steps_);
}

Result<NodeId> SchemaReader::array(const Object& schema, const std::string& where) {
  HERD_TRY(const std::uint32_t least, count(schema, "minItems", 0, where));
  HERD_TRY(const std::uint32_t most, count(schema, "maxItems", unlimited, where));
  if (most < least) return g_.never();
  if (const json::value* unique = schema.if_contains("uniqueItems"))
    if (*unique != json::value(false) && most > 1)
      HERD_TRY_VOID(
          unsupported(where + "/uniqueItems", "the keyword uniqueItems is not supported"));
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
  const auto comma = [&](std::uint32_t i) { return i == 0 ? g_.empty() : json_.comma(); };
  const auto rest = [&](std::uint32_t from) -> NodeId {  // `from` items came before
    if (most <= from) return least > from ? g_.never() : g_.empty();
    const std::uint32_t wanted = least > from ? least - from : 0;
    const std::uint32_t room = most == unlimited ? unlimited : most - from;
    const NodeId next = g_.sequence({json_.comma(), others, json_.space()});
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
Result<NodeId> SchemaReader::other_members(const Object& schema, const Object& properties,
                                           const std::string& where) {
  Grammar parts;
  const NodeId any =
      parts.repeat(characters(parts, CharSet::all(), Writing::json_string), 0, unlimited);
  HERD_TRY(Automaton free, regular(parts, any, steps_));
  std::vector<Automaton> taken;  // names that are described already
  if (!properties.empty()) {
    std::vector<NodeId> names;
    for (const auto& [name, unused] : properties) {
      HERD_TRY(const NodeId node, literal(parts, name, Writing::json_string));
      names.push_back(node);
    }
    HERD_TRY(Automaton listed, regular(parts, parts.choice(std::move(names)), steps_));
    HERD_TRY(free, difference(free, listed, steps_));
    taken.push_back(std::move(listed));
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
      const std::string own_place = at + "/" + escaped_pointer(pattern);
      auto node = read_regex(parts, pattern, Writing::json_string, false);
      if (!node && node.error().code == Code::invalid_grammar) {
        HERD_TRY_VOID(unsupported(own_place, node.error().message));
        continue;
      }
      if (!node) return std::unexpected(std::move(node.error()).in("the schema at " + own_place));
      HERD_TRY(Automaton names, regular(parts, *node, steps_));
      bool apart = true;
      for (const Automaton& others : taken) {
        HERD_TRY(const Automaton shared, intersection(names, others, steps_));
        apart = apart && accepts_nothing(shared);
      }
      if (!apart)
        HERD_TRY_VOID(unsupported(own_place,
                                  "a pattern that also fits a name of properties, required or "
                                  "another pattern is not supported"));
      if (!apart) continue;
      HERD_TRY(Automaton own, intersection(free, names, steps_));
      HERD_TRY(free, difference(free, names, steps_));
      HERD_TRY_VOID(add(std::move(own), value, own_place));
      taken.push_back(std::move(names));
    }
  }
  const json::value* additional = schema.if_contains("additionalProperties");
  HERD_TRY_VOID(add(std::move(free), additional ? *additional : json::value(true),
                    where + "/additionalProperties"));
  return as_rule(where + "/additionalProperties", g_.choice(std::move(ways)));
}

// The members that are described or required.
Result<SchemaReader::Names> SchemaReader::names_of(const Object& schema, const std::string& where) {
  Names out;
  auto& [properties, required] = out;
  if (const json::value* value = schema.if_contains("properties")) {
    if (!value->is_object()) return refuse(where + "/properties", "an object is wanted");
    properties = value->get_object();
  }
  if (const json::value* list = schema.if_contains("required")) {
    if (!list->is_array()) return refuse(where + "/required", "a list is wanted");
    for (const json::value& name : list->get_array()) {
      if (!name.is_string()) return refuse(where + "/required", "a list of names is wanted");
      required.emplace(name.get_string());
      if (properties.contains(name.get_string())) continue;
      // Required and not described: what other names may hold.
      if (schema.contains("patternProperties")) {
        HERD_TRY_VOID(unsupported(where + "/required",
                                  "a name that properties does not list, beside "
                                  "patternProperties, is not supported"));
        required.erase(std::string(name.get_string()));
        continue;
      }
      const json::value* additional = schema.if_contains("additionalProperties");
      properties[name.get_string()] = additional ? *additional : json::value(true);
    }
  }
  return out;
}

Result<NodeId> SchemaReader::object(const Object& schema, const std::string& where,
                                    Spelling spelling) {
  HERD_TRY(const Names names, names_of(schema, where));
  const auto& [properties, required] = names;
  const bool keywords = spelling == Spelling::keywords;
  NodeId other = g_.never();  // what other names there are cannot be keywords
  if (!keywords) {
    HERD_TRY(other, other_members(schema, properties, where));
  }
  HERD_TRY(const std::uint32_t least, count(schema, "minProperties", 0, where));
  HERD_TRY(const std::uint32_t most, count(schema, "maxProperties", unlimited, where));
  if (most < least) return g_.never();
  if (least > required.size() ||
      (most != unlimited && (most < properties.size() || !g_.is_never(other))))
    HERD_TRY_VOID(unsupported(where,
                              "minProperties or maxProperties that say more than required and "
                              "additionalProperties are not supported"));

  struct Member {
    NodeId node;
    bool required;
  };
  std::vector<Member> members;
  for (const auto& [name, value] : properties) {
    const std::string at = where + "/properties/" + escaped_pointer(name);
    HERD_TRY(const NodeId node, any_of(value, at));
    NodeId own = node;
    if (keywords) {
      own =
          is_identifier(name) ? g_.sequence({g_.text(std::string(name) + "="), node}) : g_.never();
    } else if (!g_.is_never(node)) {
      HERD_TRY(const NodeId key, quoted(name));
      own = member(key, node);
    }
    members.push_back({own, required.contains(std::string(name))});
  }
  const NodeId comma = json_.comma();
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
  if (keywords) return first;
  return g_.sequence({g_.text("{"), json_.space(), first, g_.text("}")});
}

}  // namespace herd::grammar
