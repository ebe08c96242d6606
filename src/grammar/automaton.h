// Deterministic automata over bytes: the regular parts of a grammar, before they are joined by a stack (compiled.h).
// A call edge reads whatever a rule reads; automata without call edges are closed under intersection and difference.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace herd::grammar {

struct Edge {
  std::uint8_t lo = 0;
  std::uint8_t hi = 0;
  std::uint32_t target = 0;
};

struct CallEdge {
  std::uint32_t rule = 0;
  std::uint32_t target = 0;
};

// State 0 is the start. Edges of a state are sorted and do not overlap; at most one call edge per rule.
struct Automaton {
  struct State {
    std::vector<Edge> edges;
    std::vector<CallEdge> calls;
    bool accepts = false;
  };
  std::vector<State> states;

  // The state after `byte`, or no_state.
  [[nodiscard]] std::uint32_t next(std::uint32_t state, unsigned byte) const;
};

inline constexpr std::uint32_t no_state = 0xFFFFFFFFu;

// Texts that both accept, or that `a` accepts and `b` does not. Neither may call. Fails with schema_too_complex where
// the product has more than limits::states_max states or `steps`, to which the work is added, passes its limit.
Result<Automaton> intersection(const Automaton& a, const Automaton& b, std::uint64_t& steps);
Result<Automaton> difference(const Automaton& a, const Automaton& b, std::uint64_t& steps);

// Whether it accepts no text at all. Calls count as texts.
bool accepts_nothing(const Automaton& automaton);

}  // namespace herd::grammar
