// A grammar as rules over bytes: what the front ends (regex, GBNF, JSON Schema) write and compile() reads. Nodes live
// in the grammar and are named by number, so that a subtree may be used in several places; only rules may recurse.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/automaton.h"

namespace herd::grammar {

using NodeId = std::uint32_t;
using RuleId = std::uint32_t;

inline constexpr std::uint32_t unlimited = 0xFFFFFFFFu;

// A set of byte values.
struct ByteSet {
  std::array<std::uint64_t, 4> words{};

  void add(unsigned lo, unsigned hi) {
    for (unsigned byte = lo; byte <= hi; ++byte) words[byte >> 6] |= 1ull << (byte & 63);
  }
  [[nodiscard]] bool has(unsigned byte) const { return (words[byte >> 6] >> (byte & 63) & 1) != 0; }
};

enum class NodeKind : std::uint8_t { bytes, text, sequence, choice, repeat, call, automaton };

struct Node {
  NodeKind kind = NodeKind::sequence;
  ByteSet set{};                   // bytes
  std::string text{};              // text
  std::vector<NodeId> children{};  // sequence, choice, repeat (one)
  std::uint32_t least = 0;         // repeat: from least to most times
  std::uint32_t most = 0;
  std::uint32_t index = 0;  // call: the rule; automaton: which
};

struct Rule {
  std::string name;
  NodeId body = 0;
  bool defined = false;
};

class Grammar {
 public:
  NodeId empty() { return sequence({}); }
  NodeId never() { return choice({}); }
  NodeId bytes(const ByteSet& set);
  NodeId range(unsigned lo, unsigned hi);
  NodeId text(std::string_view text);
  NodeId sequence(std::vector<NodeId> children);
  NodeId choice(std::vector<NodeId> children);
  NodeId repeat(NodeId child, std::uint32_t least, std::uint32_t most);
  NodeId optional(NodeId child) { return repeat(child, 0, 1); }
  NodeId call(RuleId rule);
  NodeId automaton(Automaton regular);

  // A rule may be called before it is defined. Names are for messages and need not differ.
  RuleId add_rule(std::string name);
  void define(RuleId rule, NodeId body);

  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }
  [[nodiscard]] const std::vector<Automaton>& automata() const { return automata_; }
  // A choice of nothing; compile() finds the less evident cases.
  [[nodiscard]] bool is_never(NodeId node) const {
    return nodes_[node].kind == NodeKind::choice && nodes_[node].children.empty();
  }

 private:
  NodeId add(Node node);

  std::vector<Node> nodes_;
  std::vector<Rule> rules_;
  std::vector<Automaton> automata_;
};

// The deterministic automaton of a node; calls are edges. `steps` counts what was spent, over all calls that share it.
// Fails with schema_too_complex when it would pass a limit.
Result<Automaton> regular(const Grammar& grammar, NodeId node, std::uint64_t& steps);

}  // namespace herd::grammar
