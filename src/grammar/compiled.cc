#include "grammar/compiled.h"

#include <utility>

#include "grammar/limits.h"

namespace herd::grammar {

// Determinizes the rules that the root needs, removes what leads nowhere, and writes the one table.
class Joiner {
 public:
  Joiner(const Grammar& grammar, std::uint64_t& steps) : grammar_(grammar), steps_(steps) {}

  Result<Compiled> run(RuleId root) {
    HERD_TRY_VOID(determinize_all(root));
    mark_useful();
    if (steps_ > limits::compile_steps_max) return too_many_steps();
    if (!useful_[root][0])
      return fail(Code::invalid_grammar, "no text matches the grammar (rule {})", name(root));
    HERD_TRY_VOID(refuse_left_recursion());
    if (steps_ > limits::compile_steps_max) return too_many_steps();
    return write(root);
  }

 private:
  static std::unexpected<Error> too_many_steps() {
    return fail(Code::schema_too_complex, "the grammar needs more than {} steps",
                limits::compile_steps_max);
  }
  [[nodiscard]] std::string name(RuleId rule) const { return shown(grammar_.rules()[rule].name); }

  Result<> determinize_all(RuleId root) {
    const std::size_t count = grammar_.rules().size();
    automata_.resize(count);
    used_.assign(count, false);
    order_ = {root};
    used_[root] = true;
    std::size_t states = 0;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const Rule& rule = grammar_.rules()[order_[i]];
      if (!rule.defined)
        return fail(Code::invalid_grammar, "rule {} is used and nowhere defined", shown(rule.name));
      auto automaton = regular(grammar_, rule.body, steps_);
      if (!automaton)
        return std::unexpected(std::move(automaton.error()).in("rule " + shown(rule.name)));
      states += automaton->states.size();
      if (states > limits::states_max)
        return fail(Code::schema_too_complex, "the grammar needs more than {} states",
                    limits::states_max);
      for (const Automaton::State& state : automaton->states)
        for (const CallEdge& call : state.calls)
          if (!used_[call.rule]) {
            used_[call.rule] = true;
            order_.push_back(call.rule);
          }
      automata_[order_[i]] = *std::move(automaton);
    }
    return {};
  }

  // An edge, from the side of what it leads to.
  struct Before {
    std::uint32_t state = 0;
    RuleId rule = no_state;  // that it calls; none for bytes
  };
  struct Caller {
    RuleId rule = 0;
    std::uint32_t state = 0;
    std::uint32_t target = 0;
  };
  struct Place {
    RuleId rule = 0;
    std::uint32_t state = 0;
  };

  // A state is useful when some text leads from it to the end of its rule; a call only when its rule's start is.
  // Backwards from what accepts: each edge is looked at when its target becomes useful, a call once more when its
  // rule's start does.
  void mark_useful() {
    useful_.resize(automata_.size());
    std::vector<std::vector<std::vector<Before>>> before(automata_.size());
    std::vector<std::vector<Caller>> callers(automata_.size());
    std::vector<Place> open;
    const auto mark = [&](RuleId rule, std::uint32_t state) {
      ++steps_;
      if (useful_[rule][state]) return;
      useful_[rule][state] = true;
      open.push_back({rule, state});
    };
    for (const RuleId rule : order_) {
      const auto& states = automata_[rule].states;
      useful_[rule].assign(states.size(), false);
      before[rule].resize(states.size());
      for (std::uint32_t i = 0; i < states.size(); ++i) {
        for (const Edge& edge : states[i].edges) before[rule][edge.target].push_back({.state = i});
        for (const CallEdge& call : states[i].calls) {
          before[rule][call.target].push_back({i, call.rule});
          callers[call.rule].push_back({rule, i, call.target});
        }
        if (states[i].accepts) mark(rule, i);
      }
    }
    while (!open.empty()) {
      const Place at = open.back();
      open.pop_back();
      for (const Before& edge : before[at.rule][at.state])
        if (edge.rule == no_state || useful_[edge.rule][0]) mark(at.rule, edge.state);
      if (at.state != 0) continue;
      for (const Caller& call : callers[at.rule])
        if (useful_[call.rule][call.target]) mark(call.rule, call.state);
    }
  }

  // The rules that each rule may enter before it has read a byte. What follows a call belongs to it as soon as the
  // called rule turns out to end without a byte.
  [[nodiscard]] std::vector<std::vector<RuleId>> first_calls() {
    std::vector<std::vector<RuleId>> first(automata_.size());
    std::vector<std::vector<bool>> seen(automata_.size());
    std::vector<bool> empty(automata_.size(), false);           // may end without a byte
    std::vector<std::vector<Place>> waiting(automata_.size());  // for a rule to be one of those
    std::vector<Place> open;
    const auto reach = [&](Place at) {
      ++steps_;
      if (seen[at.rule][at.state]) return;
      seen[at.rule][at.state] = true;
      open.push_back(at);
    };
    for (const RuleId rule : order_) seen[rule].resize(automata_[rule].states.size());
    for (const RuleId rule : order_)
      if (useful_[rule][0]) reach({rule, 0});
    while (!open.empty()) {
      const auto [rule, at] = open.back();
      open.pop_back();
      const Automaton::State& state = automata_[rule].states[at];
      for (const CallEdge& call : state.calls) {
        if (!useful_[call.rule][0] || !useful_[rule][call.target]) continue;
        first[rule].push_back(call.rule);
        if (empty[call.rule])
          reach({rule, call.target});
        else
          waiting[call.rule].push_back({rule, call.target});
      }
      if (!state.accepts || empty[rule]) continue;
      empty[rule] = true;
      for (const Place& place : std::exchange(waiting[rule], {})) reach(place);
    }
    return first;
  }

  Result<> refuse_left_recursion() {
    const std::vector<std::vector<RuleId>> first = first_calls();
    std::vector<std::uint32_t> left(automata_.size(), 0);  // Kahn: calls from rules not yet removed
    for (const RuleId rule : order_)
      for (const RuleId called : first[rule]) ++left[called];
    std::vector<RuleId> open;
    std::size_t removed = 0;
    for (const RuleId rule : order_)
      if (left[rule] == 0) open.push_back(rule);
    while (!open.empty()) {
      const RuleId rule = open.back();
      open.pop_back();
      ++removed;
      for (const RuleId called : first[rule])
        if (--left[called] == 0) open.push_back(called);
    }
    if (removed == order_.size()) return {};
    for (const RuleId rule : order_)
      if (left[rule] != 0)
        return fail(Code::invalid_grammar,
                    "rule {} may begin with itself, directly or through others (left recursion)",
                    name(rule));
    return {};
  }

  Compiled write(RuleId root) {
    std::vector<std::vector<std::uint32_t>> numbers(automata_.size());
    std::uint32_t count = 0;
    for (const RuleId rule : order_)
      for (const bool useful : useful_[rule]) numbers[rule].push_back(useful ? count++ : no_state);
    Compiled out;
    out.start_ = numbers[root][0];
    for (const RuleId rule : order_)
      for (std::uint32_t i = 0; i < numbers[rule].size(); ++i)
        if (numbers[rule][i] != no_state) write_state(out, rule, i, numbers);
    return out;
  }

  void write_state(Compiled& out, RuleId rule, std::uint32_t id,
                   const std::vector<std::vector<std::uint32_t>>& numbers) const {
    const Automaton::State& from = automata_[rule].states[id];
    Compiled::State to;
    to.accepts = from.accepts;
    to.edges = static_cast<std::uint32_t>(out.edges_.size());
    to.calls = static_cast<std::uint32_t>(out.calls_.size());
    for (const Edge& edge : from.edges)
      if (const std::uint32_t target = numbers[rule][edge.target]; target != no_state)
        out.edges_.push_back({edge.lo, edge.hi, target});
    for (const CallEdge& call : from.calls) {
      const std::uint32_t target = numbers[rule][call.target];
      if (target == no_state || !useful_[call.rule][0]) continue;
      const Automaton::State& after = automata_[rule].states[call.target];
      out.calls_.push_back({numbers[call.rule][0], target,
                            after.accepts && after.edges.empty() && after.calls.empty()});
    }
    to.edge_count = static_cast<std::uint32_t>(out.edges_.size()) - to.edges;
    to.call_count = static_cast<std::uint32_t>(out.calls_.size()) - to.calls;
    // A row costs 1 KiB and saves a search; 16 MiB of them are enough for the states that are met often.
    if (to.edge_count > 4 && out.rows_.size() < (4u << 20)) {
      to.row = static_cast<std::uint32_t>(out.rows_.size() / 256);
      out.rows_.resize(out.rows_.size() + 256, no_state);
      for (std::uint32_t i = to.edges; i < to.edges + to.edge_count; ++i)
        for (unsigned byte = out.edges_[i].lo; byte <= out.edges_[i].hi; ++byte)
          out.rows_[to.row * std::size_t{256} + byte] = out.edges_[i].target;
    }
    out.states_.push_back(to);
  }

  const Grammar& grammar_;
  std::uint64_t& steps_;
  std::vector<Automaton> automata_;  // by rule; empty for rules that are not used
  std::vector<bool> used_;
  std::vector<RuleId> order_;  // the used ones, callers before callees
  std::vector<std::vector<bool>> useful_;
};

Result<Compiled> Compiled::build(const Grammar& grammar, RuleId root, std::uint64_t steps) {
  if (grammar.rules().size() > limits::rules_max)
    return fail(Code::schema_too_complex, "the grammar has {} rules, at most {} are taken",
                grammar.rules().size(), limits::rules_max);
  if (grammar.nodes().size() > limits::nodes_max)
    return fail(Code::schema_too_complex, "the grammar has {} parts, at most {} are taken",
                grammar.nodes().size(), limits::nodes_max);
  return Joiner(grammar, steps).run(root);
}

}  // namespace herd::grammar
