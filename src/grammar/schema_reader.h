// Reads one schema into a grammar that others may share: what json_schema.cc and tool_calls.cc are made with. The
// members are in schema_reader.cc (what holds schemas together) and schema_types.cc (strings, numbers, lists, objects).
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/json_rules.h"

namespace herd::grammar {

// How objects are spelled: as JSON, or as the keyword arguments of a call, name=value.
enum class Spelling : std::uint8_t { json, keywords };

class SchemaReader {
 public:
  // All must outlive it. Strict: what cannot be followed is an error. Otherwise it is left out and its place put down
  // in `ignored`, so that the grammar allows more than the schema does; mistakes are errors all the same.
  // `steps` counts what was spent, over all readers of one grammar (limits::compile_steps_max).
  SchemaReader(Grammar& grammar, JsonRules& rules, const json::value& root, bool strict,
               std::uint64_t& steps, std::vector<std::string>& ignored)
      : root_(root), g_(grammar), json_(rules), strict_(strict), steps_(steps), ignored_(ignored) {}

  // The documents of the schema. Fails with invalid_schema or schema_too_complex; the message begins "the schema at
  // #/…:", where the place is a JSON pointer as a URI fragment (RFC 6901, 6), so without spaces and colons.
  Result<NodeId> read();
  // Its objects as keyword arguments, without the parentheses around them. The root describes an object itself.
  Result<NodeId> read_keywords();

 private:
  using Object = json::object;

  [[nodiscard]] static std::unexpected<Error> refuse(const std::string& where,
                                                     std::string_view what,
                                                     Code code = Code::invalid_schema);
  // What is not supported: an error where strict, else put down as ignored.
  Result<> unsupported(const std::string& where, std::string_view what);
  Result<RuleId> referred(const std::string& pointer);
  Result<NodeId> any_of(const json::value& schema, const std::string& where);
  Result<NodeId> read_at(const json::value& schema, const std::string& where);
  Result<NodeId> reference(const json::value& value, const Object& rest, const std::string& where);
  Result<json::value> inlined(json::value schema, const std::string& where);
  Result<NodeId> all_of(const json::array& parts, const Object& rest, const std::string& where);
  Result<NodeId> one_of(const json::array& branches, const Object& rest, const std::string& where,
                        bool exactly);
  Result<> require_disjoint(const json::array& branches, const std::string& where);
  Result<NodeId> constants(const json::array& values, Object rest, std::string_view keyword,
                           const std::string& where);
  Result<bool> allows(const Object& schema, const json::value& value, const std::string& where);
  Result<NodeId> constant(const json::value& value);
  Result<NodeId> quoted(std::string_view text);
  Result<NodeId> typed(const Object& schema, const std::string& where);
  Result<NodeId> of_type(std::string_view type, const Object& schema, const std::string& where);
  static Result<std::uint32_t> count(const Object& schema, std::string_view keyword,
                                     std::uint32_t missing, const std::string& where);
  Result<json::value> merge(const json::value& a, const json::value& b, const std::string& where);
  Result<const json::value*> resolve(const std::string& pointer);

  Result<NodeId> string(const Object& schema, const std::string& where);
  Result<NodeId> number(const Object& schema, const std::string& where, bool integer);
  Result<NodeId> array(const Object& schema, const std::string& where);
  Result<NodeId> object(const Object& schema, const std::string& where, Spelling spelling);
  struct Names {
    Object properties;
    std::set<std::string> required;
  };
  Result<Names> names_of(const Object& schema, const std::string& where);
  Result<NodeId> other_members(const Object& schema, const Object& properties,
                               const std::string& where);
  NodeId member(NodeId key, NodeId value);
  // A rule of its own, so that repeating it does not repeat its states.
  NodeId as_rule(std::string name, NodeId body);

  const json::value& root_;
  Grammar& g_;
  JsonRules& json_;
  bool strict_;
  std::uint64_t& steps_;
  std::vector<std::string>& ignored_;
  std::map<std::string, RuleId> referred_;
  std::uint64_t nodes_ = 0;
  std::uint64_t depth_ = 0;
  std::uint64_t levels_ = 0;  // the same across references: what lies on the stack
};

// The name as a part of a pointer.
std::string escaped_pointer(std::string_view name);

}  // namespace herd::grammar
