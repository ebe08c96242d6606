// A grammar made ready: the automata of all rules in one table of states, joined by call edges that need a stack.
// Every state of it can still reach the end of its rule, so a text that was read so far can always be completed.
// Immutable; one may serve many answers on many threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "grammar/grammar.h"

namespace herd::grammar {

class Compiled {
 public:
  // A call: go on in the callee's first state, then, after it, in `target`.
  struct Call {
    std::uint32_t start = 0;
    std::uint32_t target = 0;
    bool last = false;  // nothing can follow in `target`: no need to come back
  };

  // Fails with invalid_grammar, naming the rule, when a rule has no definition or begins with itself (left recursion),
  // when no text matches; with schema_too_complex when a limit is passed. `steps`: spent already.
  static Result<Compiled> build(const Grammar& grammar, RuleId root, std::uint64_t steps = 0);

  [[nodiscard]] std::uint32_t start() const { return start_; }
  [[nodiscard]] std::size_t size() const { return states_.size(); }
  [[nodiscard]] std::size_t bytes() const {
    return states_.size() * sizeof states_[0] + edges_.size() * sizeof edges_[0] +
           calls_.size() * sizeof calls_[0] + rows_.size() * sizeof rows_[0];
  }
  [[nodiscard]] bool accepts(std::uint32_t state) const { return states_[state].accepts; }
  // Whether the rule goes on in this state by reading a byte and in no other way.
  [[nodiscard]] bool is_plain(std::uint32_t state) const {
    return !states_[state].accepts && states_[state].call_count == 0;
  }

  [[nodiscard]] std::span<const Edge> edges(std::uint32_t state) const {
    return std::span(edges_).subspan(states_[state].edges, states_[state].edge_count);
  }
  [[nodiscard]] std::span<const Call> calls(std::uint32_t state) const {
    return std::span(calls_).subspan(states_[state].calls, states_[state].call_count);
  }
  // The state after `byte` within its rule, or no_state.
  [[nodiscard]] std::uint32_t next(std::uint32_t state, std::uint8_t byte) const {
    const State& at = states_[state];
    if (at.row != no_state) return rows_[at.row * std::size_t{256} + byte];
    for (std::uint32_t i = at.edges; i < at.edges + at.edge_count; ++i)
      if (byte <= edges_[i].hi) return byte >= edges_[i].lo ? edges_[i].target : no_state;
    return no_state;
  }

 private:
  struct State {
    std::uint32_t edges = 0;
    std::uint32_t edge_count = 0;
    std::uint32_t calls = 0;
    std::uint32_t call_count = 0;
    std::uint32_t row = no_state;  // in rows_, for states with many edges
    bool accepts = false;
  };
  friend class Joiner;

  std::vector<State> states_;
  std::vector<Edge> edges_;
  std::vector<Call> calls_;
  std::vector<std::uint32_t> rows_;
  std::uint32_t start_ = 0;
};

using CompiledPtr = std::shared_ptr<const Compiled>;  // shared by all answers that follow it

}  // namespace herd::grammar
