#include "grammar/json_schema.h"

#include "grammar/schema_reader.h"

namespace herd::grammar {

Result<Compiled> compile_json_schema(const json::value& schema, const SchemaOptions& options,
                                     std::vector<std::string>* ignored) {
  Grammar grammar;
  JsonRules rules(grammar, options.style);
  std::uint64_t steps = 0;
  std::vector<std::string> left_out;
  SchemaReader reader(grammar, rules, schema, options.strict, steps, left_out);
  HERD_TRY(const NodeId node, reader.read());
  const RuleId root = grammar.add_rule("#");
  grammar.define(root, node);
  auto compiled = Compiled::build(grammar, root, steps);
  if (!compiled && compiled.error().code == Code::invalid_grammar) {
    Error error = std::move(compiled).error();
    error.code = Code::invalid_schema;
    return std::unexpected(std::move(error).in("the schema at #"));
  }
  if (ignored != nullptr) *ignored = std::move(left_out);
  return compiled;
}

Result<Compiled> compile_json_object(JsonStyle style) {
  Grammar grammar;
  JsonRules rules(grammar, style);
  const RuleId root = grammar.add_rule("object");
  grammar.define(root, rules.object());
  return Compiled::build(grammar, root);
}

}  // namespace herd::grammar
