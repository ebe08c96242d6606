#include "grammar/grammar.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "grammar/limits.h"

namespace herd::grammar {
namespace {

// One step of a nondeterministic automaton: a byte edge, a call, or up to two empty moves.
struct NfaState {
  std::uint32_t to = no_state;     // after the byte or the call
  std::uint32_t rule = no_state;   // a call when set
  std::uint32_t empty = no_state;  // empty moves
  std::uint32_t empty2 = no_state;
  std::uint8_t lo = 1;  // a byte edge when lo <= hi
  std::uint8_t hi = 0;

  [[nodiscard]] bool moves() const { return lo <= hi || rule != no_state; }
};

// Thompson's construction from the end to the start: entry(node, next) is a state from which `node` leads to `next`.
// Nodes may be nested as deeply as a text from outside is long, so the ones begun wait in a list, not on the stack.
class Nfa {
 public:
  Nfa(const Grammar& grammar, std::uint64_t& steps) : grammar_(grammar), steps_(steps) {
    states.emplace_back();  // 0: the end
  }

  std::uint32_t entry(NodeId id, std::uint32_t next) {
    begin(id, next);
    // What stops early is no automaton: too_large() says so.
    while (!open_.empty() && !too_large()) {
      const Node& node = grammar_.nodes()[open_.back().id];
      ++steps_;
      switch (node.kind) {
        case NodeKind::bytes:
          end(set(node.set, open_.back().next));
          break;
        case NodeKind::text:
          end(spelled(node.text, open_.back().next));
          break;
        case NodeKind::call:
          end(add({.to = open_.back().next, .rule = node.index}));
          break;
        case NodeKind::automaton:
          end(copied(grammar_.automata()[node.index], open_.back().next));
          break;
        case NodeKind::sequence:
          go_on_in_sequence(node);
          break;
        case NodeKind::choice:
          go_on_in_choice(node);
          break;
        case NodeKind::repeat:
          go_on_in_repeat(node);
          break;
      }
    }
    return result_;
  }

  [[nodiscard]] bool too_large() const {
    return states.size() > limits::nfa_states_max || steps_ > limits::compile_steps_max;
  }

  std::vector<NfaState> states;

 private:
  // A node that waits for the entry of a child: result_, when it is met again.
  struct Open {
    NodeId id = 0;
    std::uint32_t next = 0;
    std::uint32_t at = 0;  // the entry of what was done so far
    std::size_t done = 0;  // children, or rounds of a repetition
    bool asked = false;
  };

  void begin(NodeId id, std::uint32_t next) {
    open_.push_back({.id = id, .next = next, .at = next});
  }
  void end(std::uint32_t result) {
    open_.pop_back();
    result_ = result;
  }

  void go_on_in_sequence(const Node& node) {
    Open& own = open_.back();
    if (own.asked) own.at = result_;
    own.asked = true;
    if (own.done == node.children.size()) return end(own.at);
    begin(node.children[node.children.size() - ++own.done], own.at);
  }

  void go_on_in_choice(const Node& node) {
    Open& own = open_.back();
    if (!own.asked)
      own.at = no_state;
    else
      own.at = own.at == no_state ? result_ : add({.empty = result_, .empty2 = own.at});
    own.asked = true;
    if (own.done == node.children.size()) return end(own.at == no_state ? add({}) : own.at);
    begin(node.children[node.children.size() - ++own.done], own.next);
  }

  // First the rounds that may be left out, or the loop, then those that must be.
  void go_on_in_repeat(const Node& node) {
    Open& own = open_.back();
    const bool loops = node.most == unlimited;
    const std::size_t optional = loops ? 1 : node.most - node.least;
    if (!own.asked) {
      if (loops) own.at = add({.empty2 = own.next});
    } else if (result_ == own.at) {
      return end(own.at);  // reads nothing, however often
    } else if (own.done > optional) {
      own.at = result_;
    } else if (loops) {
      states[own.at].empty = result_;
    } else {
      own.at = add({.empty = result_, .empty2 = own.next});
    }
    own.asked = true;
    if (own.done == optional + node.least) return end(own.at);
    ++own.done;
    begin(node.children[0], own.at);
  }

  std::uint32_t add(NfaState state) {
    ++steps_;
    states.push_back(state);
    return static_cast<std::uint32_t>(states.size() - 1);
  }

  std::uint32_t spelled(std::string_view text, std::uint32_t next) {
    for (auto c = text.rbegin(); c != text.rend(); ++c) {
      const auto byte = static_cast<std::uint8_t>(*c);
      next = add({.to = next, .lo = byte, .hi = byte});
    }
    return next;
  }

  std::uint32_t set(const ByteSet& set, std::uint32_t next) {
    std::uint32_t all = no_state;
    for (unsigned lo = 0; lo < 256; ++lo) {
      if (!set.has(lo)) continue;
      unsigned hi = lo;
      while (hi < 255 && set.has(hi + 1)) ++hi;
      const std::uint32_t one = add(
          {.to = next, .lo = static_cast<std::uint8_t>(lo), .hi = static_cast<std::uint8_t>(hi)});
      all = all == no_state ? one : add({.empty = one, .empty2 = all});
      lo = hi;
    }
    return all == no_state ? add({}) : all;
  }

  std::uint32_t copied(const Automaton& automaton, std::uint32_t next) {
    std::vector<std::uint32_t> heads;
    for (std::size_t i = 0; i < automaton.states.size(); ++i) heads.push_back(add({}));
    for (std::size_t i = 0; i < automaton.states.size(); ++i) {
      std::uint32_t all = automaton.states[i].accepts ? next : no_state;
      for (const Edge& edge : automaton.states[i].edges) {
        const std::uint32_t one = add({.to = heads[edge.target], .lo = edge.lo, .hi = edge.hi});
        all = all == no_state ? one : add({.empty = one, .empty2 = all});
      }
      states[heads[i]].empty = all;
    }
    return heads[0];
  }

  const Grammar& grammar_;
  std::uint64_t& steps_;
  std::vector<Open> open_;
  std::uint32_t result_ = 0;
};

using Subset = std::vector<std::uint32_t>;

struct HashSubset {
  std::size_t operator()(const Subset& subset) const {
    std::uint64_t hash = subset.size();
    for (const std::uint32_t state : subset) {
      hash = (hash ^ state) * 0x9E3779B97F4A7C15ull;
      hash ^= hash >> 29;
    }
    return static_cast<std::size_t>(hash);
  }
};

// The subset construction.
class Subsets {
 public:
  Subsets(const std::vector<NfaState>& nfa, std::uint64_t& steps)
      : nfa_(nfa), steps_(steps), stamp_(nfa.size()) {}

  Result<Automaton> run(std::uint32_t start) {
    state_of({start});
    for (std::size_t i = 0; i < subsets_.size(); ++i) {
      if (subsets_.size() > limits::states_max || steps_ > limits::compile_steps_max)
        return fail(Code::schema_too_complex, "the grammar needs more than {} states or {} steps",
                    limits::states_max, limits::compile_steps_max);
      expand(static_cast<std::uint32_t>(i));
    }
    return std::move(out_);
  }

 private:
  // The states reached by empty moves that move on or end, sorted.
  Subset closure(const Subset& from) {
    Subset found;
    ++now_;
    open_ = from;
    while (!open_.empty()) {
      const std::uint32_t at = open_.back();
      open_.pop_back();
      ++steps_;
      if (at == no_state || stamp_[at] == now_) continue;
      stamp_[at] = now_;
      if (at == 0 || nfa_[at].moves()) found.push_back(at);
      open_.push_back(nfa_[at].empty);
      open_.push_back(nfa_[at].empty2);
    }
    std::ranges::sort(found);
    return found;
  }

  std::uint32_t state_of(const Subset& from) {
    const auto [at, fresh] =
        index_.try_emplace(closure(from), static_cast<std::uint32_t>(subsets_.size()));
    if (fresh) {
      subsets_.push_back(&at->first);
      out_.states.emplace_back();
    }
    return at->second;
  }

  void expand(std::uint32_t id) {
    const Subset& subset = *subsets_[id];
    std::vector<std::uint32_t> moving;
    std::vector<std::uint32_t> calling;
    std::array<bool, 257> cut{};
    for (const std::uint32_t at : subset) {
      const NfaState& state = nfa_[at];
      if (at == 0) out_.states[id].accepts = true;
      if (state.rule != no_state) calling.push_back(at);
      if (state.lo > state.hi) continue;
      moving.push_back(at);
      cut[state.lo] = cut[state.hi + 1u] = true;
    }
    std::vector<Edge> edges;
    Subset targets;
    for (unsigned lo = 0; lo < 256;) {
      unsigned hi = lo;
      while (hi < 255 && !cut[hi + 1]) ++hi;
      targets.clear();
      for (const std::uint32_t at : moving)
        if (nfa_[at].lo <= lo && lo <= nfa_[at].hi) targets.push_back(nfa_[at].to);
      steps_ += moving.size();
      if (!targets.empty()) {
        const std::uint32_t target = state_of(targets);
        if (!edges.empty() && edges.back().target == target && edges.back().hi + 1u == lo)
          edges.back().hi = static_cast<std::uint8_t>(hi);
        else
          edges.push_back({static_cast<std::uint8_t>(lo), static_cast<std::uint8_t>(hi), target});
      }
      lo = hi + 1;
    }
    out_.states[id].edges = std::move(edges);
    std::ranges::sort(calling, {}, [&](std::uint32_t at) { return nfa_[at].rule; });
    for (std::size_t i = 0; i < calling.size();) {
      const std::uint32_t rule = nfa_[calling[i]].rule;
      targets.clear();
      for (; i < calling.size() && nfa_[calling[i]].rule == rule; ++i)
        targets.push_back(nfa_[calling[i]].to);
      const std::uint32_t target = state_of(targets);
      out_.states[id].calls.push_back({rule, target});
    }
  }

  const std::vector<NfaState>& nfa_;
  std::uint64_t& steps_;
  std::vector<std::uint32_t> stamp_;
  std::uint32_t now_ = 0;
  Subset open_;
  std::unordered_map<Subset, std::uint32_t, HashSubset> index_;
  std::vector<const Subset*> subsets_;  // keys of index_, whose addresses stay
  Automaton out_;
};

}  // namespace

NodeId Grammar::add(Node node) {
  nodes_.push_back(std::move(node));
  return static_cast<NodeId>(nodes_.size() - 1);
}

NodeId Grammar::bytes(const ByteSet& set) { return add({.kind = NodeKind::bytes, .set = set}); }

NodeId Grammar::range(unsigned lo, unsigned hi) {
  ByteSet set;
  set.add(lo, hi);
  return bytes(set);
}

NodeId Grammar::text(std::string_view text) {
  return add({.kind = NodeKind::text, .text = std::string(text)});
}

NodeId Grammar::sequence(std::vector<NodeId> children) {
  for (const NodeId child : children)
    if (is_never(child)) return child;
  if (children.size() == 1) return children[0];
  return add({.kind = NodeKind::sequence, .children = std::move(children)});
}

NodeId Grammar::choice(std::vector<NodeId> children) {
  std::erase_if(children, [&](NodeId child) { return is_never(child); });
  if (children.size() == 1) return children[0];
  return add({.kind = NodeKind::choice, .children = std::move(children)});
}

NodeId Grammar::repeat(NodeId child, std::uint32_t least, std::uint32_t most) {
  HERD_CHECK(least <= most, "from {} to {} times", least, most);
  if (is_never(child)) return least == 0 ? empty() : child;
  return add({.kind = NodeKind::repeat, .children = {child}, .least = least, .most = most});
}

NodeId Grammar::call(RuleId rule) { return add({.kind = NodeKind::call, .index = rule}); }

NodeId Grammar::automaton(Automaton regular) {
  if (accepts_nothing(regular)) return never();
  automata_.push_back(std::move(regular));
  return add(
      {.kind = NodeKind::automaton, .index = static_cast<std::uint32_t>(automata_.size() - 1)});
}

RuleId Grammar::add_rule(std::string name) {
  rules_.push_back({std::move(name), 0, false});
  return static_cast<RuleId>(rules_.size() - 1);
}

void Grammar::define(RuleId rule, NodeId body) {
  HERD_CHECK(!rules_[rule].defined, "rule {} is defined twice", rules_[rule].name);
  rules_[rule].body = body;
  rules_[rule].defined = true;
}

Result<Automaton> regular(const Grammar& grammar, NodeId node, std::uint64_t& steps) {
  Nfa nfa(grammar, steps);
  const std::uint32_t start = nfa.entry(node, 0);
  if (nfa.too_large())
    return fail(Code::schema_too_complex,
                "the grammar repeats itself into more than {} states or {} steps",
                limits::nfa_states_max, limits::compile_steps_max);
  return Subsets(nfa.states, steps).run(start);
}

}  // namespace herd::grammar
