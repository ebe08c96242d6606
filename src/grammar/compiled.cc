#include "grammar/compiled.h"

#include <algorithm>

#include "grammar/limits.h"

namespace herd::grammar {

// Determinizes the rules that the root needs, removes what leads nowhere, and writes the one table.
class Joiner {
 public:
  Joiner(const Grammar& grammar, std::uint64_t& steps) : grammar_(grammar), steps_(steps) {}

  Result<Compiled> run(RuleId root) {
    HERD_TRY_VOID(determinize_all(root));
    mark_useful();
    if (!useful_[root][0])
      return fail(Code::invalid_grammar, "no text matches the grammar (rule {})", name(root));
    HERD_TRY_VOID(refuse_left_recursion());
    return write(root);
  }

 private:
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

  // A state is useful when some text leads from it to the end of its rule; a call only when its rule's start is. Rounds
  // over all rules until nothing changes; within a rule, backwards sweeps.
  void mark_useful() {
    useful_.resize(automata_.size());
    for (const RuleId rule : order_) useful_[rule].assign(automata_[rule].states.size(), false);
    bool changed = true;
    while (changed) {
      changed = false;
      for (auto rule = order_.rbegin(); rule != order_.rend(); ++rule) changed |= sweep(*rule);
    }
  }

  bool sweep(RuleId rule) {
    const auto& states = automata_[rule].states;
    std::vector<bool>& useful = useful_[rule];
    bool changed = false;
    std::vector<std::vector<std::uint32_t>> before(states.size());
    std::vector<std::uint32_t> open;
    for (std::uint32_t i = 0; i < states.size(); ++i) {
      for (const Edge& edge : states[i].edges) before[edge.target].push_back(i);
      for (const CallEdge& call : states[i].calls)
        if (useful_[call.rule][0]) before[call.target].push_back(i);
      if (states[i].accepts || useful[i]) open.push_back(i);
    }
    while (!open.empty()) {
      const std::uint32_t at = open.back();
      open.pop_back();
      if (!useful[at]) {
        useful[at] = true;
        changed = true;
      }
      for (const std::uint32_t i : before[at])
        if (!useful[i]) {
          useful[i] = true;
          changed = true;
          open.push_back(i);
        }
    }
    return changed;
  }

  // The rules that `rule` may enter before it has read a byte; `empty` says which rules may read none.
  [[nodiscard]] std::vector<RuleId> first_calls(RuleId rule, const std::vector<bool>& empty,
                                                bool& may_end) const {
    const auto& states = automata_[rule].states;
    std::vector<RuleId> found;
    std::vector<bool> seen(states.size(), false);
    std::vector<std::uint32_t> open{0};
    may_end = false;
    while (!open.empty()) {
      const std::uint32_t at = open.back();
      open.pop_back();
      if (seen[at]) continue;
      seen[at] = true;
      may_end |= states[at].accepts;
      for (const CallEdge& call : states[at].calls) {
        if (!useful_[call.rule][0] || !useful_[rule][call.target]) continue;
        found.push_back(call.rule);
        if (empty[call.rule]) open.push_back(call.target);
      }
    }
    return found;
  }

  Result<> refuse_left_recursion() {
    std::vector<bool> empty(automata_.size(), false);
    std::vector<std::vector<RuleId>> first(automata_.size());
    for (bool changed = true; changed;) {
      changed = false;
      for (const RuleId rule : order_) {
        if (!useful_[rule][0]) continue;
        bool may_end = false;
        first[rule] = first_calls(rule, empty, may_end);
        if (may_end && !empty[rule]) changed = empty[rule] = true;
      }
    }
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
