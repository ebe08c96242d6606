#include "grammar/tool_calls.h"

#include <optional>

#include "base/check.h"
#include "grammar/characters.h"
#include "grammar/limits.h"
#include "grammar/schema_reader.h"

namespace herd::grammar {
namespace {

// Members that an object may begin with which the reader of calls takes for one.
constexpr auto other_members =
    std::to_array<std::string_view>({"type", "function", "parameters", "arguments", "id"});

class Writer {
 public:
  Writer(const ToolCalls& calls, std::vector<std::string>& ignored)
      : calls_(calls),
        ignored_(ignored),
        fixed_(g_, {.space_max = 0, .fixed = true}),
        loose_(g_, {}) {}

  Result<Compiled> run() {
    const RuleId root = g_.add_rule("answer");
    HERD_TRY(NodeId answer, calls_.must || calls_.document ? only_calls() : text_with_calls());
    if (!calls_.must && calls_.document) {
      HERD_TRY(const NodeId document, schema(*calls_.document, calls_.document_strict,
                                             calls_.document_place, loose_, Spelling::json));
      answer = g_.choice({answer, document});
    }
    g_.define(root, answer);
    return Compiled::build(g_, root, steps_);
  }

 private:
  NodeId rule(std::string name, NodeId body) {
    if (g_.is_never(body)) return body;
    const RuleId id = g_.add_rule(std::move(name));
    g_.define(id, body);
    return g_.call(id);
  }

  // The arguments of a tool, as an object or as keywords; a rule, so that its states are there once.
  Result<NodeId> arguments(const Tool& tool, JsonRules& rules, Spelling spelling) {
    return schema(tool.schema, tool.strict, tool.place, rules, spelling);
  }

  Result<NodeId> schema(const json::value& of, bool strict, const std::string& place,
                        JsonRules& rules, Spelling spelling) {
    std::vector<std::string> ignored;
    SchemaReader reader(g_, rules, of, strict, steps_, ignored);
    auto node = spelling == Spelling::json ? reader.read() : reader.read_keywords();
    if (!node) return std::unexpected(std::move(node).error().in(place));
    if (spelling == Spelling::json)
      for (const std::string& each : ignored) ignored_.push_back(place + each);
    return rule(place, *node);
  }

  Result<NodeId> only_calls() {
    std::vector<NodeId> ways;
    for (const Tool& tool : calls_.tools) {
      HERD_TRY(const NodeId inside, arguments(tool, fixed_, Spelling::json));
      ways.push_back(g_.sequence(
          {g_.text("{\"name\": \"" + tool.name + "\", \"parameters\": "), inside, g_.text("}")}));
    }
    const NodeId call = rule("call", g_.choice(std::move(ways)));
    if (!calls_.several) return call;
    const auto most = static_cast<std::uint32_t>(limits::calls_max - 1);
    return g_.sequence({call, g_.repeat(g_.sequence({g_.text("\n"), call}), 0, most)});
  }

  NodeId spaces(std::string_view of) {
    ByteSet set;
    for (const char c : of) set.add(static_cast<unsigned char>(c), static_cast<unsigned char>(c));
    return g_.repeat(g_.bytes(set), 0, unlimited);
  }

  // How each dialect begins a call of one of the tools. Without rules, so that it can be taken away from texts.
  NodeId openings() {
    const NodeId space = spaces(" \t\r\n");
    std::vector<NodeId> keys;
    for (const std::string_view key : other_members) keys.push_back(g_.text(key));
    std::vector<NodeId> names;
    for (const Tool& tool : calls_.tools) names.push_back(g_.text(tool.name));
    const NodeId name = g_.choice(std::move(names));
    const NodeId object =
        g_.sequence({g_.text("{"), space, g_.text("\""),
                     g_.choice({g_.sequence({g_.choice(std::move(keys)), g_.text("\"")}),
                                g_.sequence({g_.text("name\""), space, g_.text(":"), space,
                                             g_.text("\""), name, g_.text("\"")})})});
    return g_.choice({object,
                      g_.sequence({g_.text("["), space,
                                   g_.choice({object, g_.sequence({name, space, g_.text("(")})})}),
                      g_.sequence({g_.text("<function="), name, g_.text(">")}),
                      g_.sequence({name, g_.text(".call(")})});
  }

  // One whole call, or one list of them, in any dialect.
  Result<NodeId> call() {
    const NodeId space = loose_.space();
    std::vector<NodeId> objects;
    std::vector<NodeId> keywords;
    std::vector<NodeId> others;
    for (const Tool& tool : calls_.tools) {
      HERD_TRY(const NodeId json, arguments(tool, loose_, Spelling::json));
      HERD_TRY(const NodeId words, arguments(tool, loose_, Spelling::keywords));
      const auto named = [&](std::string_view key, NodeId value) {
        return g_.sequence({g_.text("\"" + std::string(key) + "\""), loose_.colon(), value});
      };
      const NodeId name = named("name", g_.text("\"" + tool.name + "\""));
      const NodeId values = g_.choice({named("parameters", json), named("arguments", json)});
      const NodeId both = g_.sequence({name, space, loose_.comma(), values});
      const NodeId inner = g_.sequence({g_.text("{"), space, both, space, g_.text("}")});
      const NodeId type =
          g_.sequence({named("type", g_.text("\"function\"")), space, loose_.comma()});
      objects.push_back(g_.sequence(
          {g_.text("{"), space,
           g_.choice({both, g_.sequence({type, g_.choice({both, named("function", inner)})})}),
           space, g_.text("}")}));
      keywords.push_back(g_.sequence(
          {g_.text(tool.name), space, g_.text("("), space, words, space, g_.text(")")}));
      others.push_back(g_.sequence(
          {g_.text("<function=" + tool.name + ">"), space, json, space, g_.text("</function>")}));
      others.push_back(
          g_.sequence({g_.text(tool.name + ".call("), space, words, space, g_.text(")")}));
    }
    const NodeId object = rule("object", g_.choice(std::move(objects)));
    const NodeId keyword = rule("keywords", g_.choice(std::move(keywords)));
    others.push_back(object);
    for (const NodeId item : {object, keyword}) others.push_back(list(item));
    return rule("call", g_.choice(std::move(others)));
  }

  NodeId list(NodeId item) {
    const NodeId space = loose_.space();
    const auto most = static_cast<std::uint32_t>(calls_.several ? limits::calls_max - 1 : 0);
    return g_.sequence({g_.text("["), space, item,
                        g_.repeat(g_.sequence({space, loose_.comma(), item}), 0, most), space,
                        g_.text("]")});
  }

  // Text, in which every call that begins is one of call(). Where a line begins, or another call has ended, both are
  // open until the opening is whole; from there on it is no text any more.
  Result<NodeId> text_with_calls() {
    Grammar& g = g_;
    const NodeId all = g.repeat(characters(g, CharSet::all(), Writing::plain), 0, unlimited);
    const NodeId line = g.sequence({all, g.text("\n"), spaces(" \t\r\n")});
    HERD_TRY(const NodeId one, call());
    // Texts that end where a call may begin: behind nothing (or behind a call), and behind a line.
    const auto starts = [&](std::string_view between) { return g.choice({spaces(between), line}); };
    struct Free {
      NodeId any = 0, before_call = 0;
    };
    const auto texts = [&](std::string_view between) -> Result<Free> {
      HERD_TRY(const Automaton whole, regular(g, all, steps_));
      HERD_TRY(const Automaton calls,
               regular(g, g.sequence({starts(between), opening(), all}), steps_));
      HERD_TRY(const Automaton ends, regular(g, starts(between), steps_));
      HERD_TRY(Automaton without, difference(whole, calls, steps_));
      HERD_TRY(Automaton before, intersection(without, ends, steps_));
      return Free{g.automaton(std::move(without)), g.automaton(std::move(before))};
    };
    HERD_TRY(const Free first, texts(" \t\r\n"));
    const NodeId begun = g.sequence({first.before_call, one});
    if (!calls_.several) return g.choice({first.any, begun});
    HERD_TRY(const Free later, texts(" \t\r\n,;"));
    const NodeId more = g.repeat(g.sequence({later.before_call, one}), 0, unlimited);
    return g.choice({first.any, g.sequence({begun, more, later.any})});
  }

  NodeId opening() {
    if (!opening_) opening_ = openings();
    return *opening_;
  }

  const ToolCalls& calls_;
  std::vector<std::string>& ignored_;
  Grammar g_;
  JsonRules fixed_, loose_;
  std::uint64_t steps_ = 0;
  std::optional<NodeId> opening_;
};

}  // namespace

Result<Compiled> compile_tool_calls(const ToolCalls& calls, std::vector<std::string>* ignored) {
  HERD_CHECK(!calls.tools.empty(), "no tools");
  std::vector<std::string> left_out;
  Writer writer(calls, left_out);
  auto compiled = writer.run();
  if (!compiled && compiled.error().code == Code::invalid_grammar) {
    Error error = std::move(compiled).error();
    error.code = Code::invalid_schema;
    return std::unexpected(std::move(error));
  }
  if (ignored != nullptr) *ignored = std::move(left_out);
  return compiled;
}

}  // namespace herd::grammar
