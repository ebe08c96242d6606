#include "grammar/automaton.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "grammar/limits.h"

namespace herd::grammar {
namespace {

// Pairs of states, `b` possibly dead (no_state). A pair accepts where a accepts and b accepts == `wanted`.
Result<Automaton> product(const Automaton& a, const Automaton& b, bool wanted,
                          std::uint64_t& steps) {
  Automaton out;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  std::unordered_map<std::uint64_t, std::uint32_t> index;
  const auto state_of = [&](std::uint32_t x, std::uint32_t y) {
    const auto [at, fresh] =
        index.try_emplace(std::uint64_t{x} << 32 | y, static_cast<std::uint32_t>(pairs.size()));
    if (fresh) pairs.emplace_back(x, y);
    return at->second;
  };
  state_of(0, 0);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs.size() > limits::states_max || steps > limits::compile_steps_max)
      return fail(Code::schema_too_complex,
                  "two conditions together need more than {} states or {} steps",
                  limits::states_max, limits::compile_steps_max);
    const auto [x, y] = pairs[i];
    Automaton::State state;
    const bool b_accepts = y != no_state && b.states[y].accepts;
    state.accepts = a.states[x].accepts && b_accepts == wanted;
    for (const Edge& edge : a.states[x].edges) {
      unsigned lo = edge.lo;
      while (lo <= edge.hi) {
        steps += 1 + (y == no_state ? 0 : b.states[y].edges.size());
        // The longest run of bytes from lo on that b treats alike.
        std::uint32_t target = no_state;
        unsigned hi = edge.hi;
        if (y != no_state)
          for (const Edge& other : b.states[y].edges) {
            if (other.hi < lo) continue;
            if (other.lo > lo) {
              hi = std::min<unsigned>(hi, other.lo - 1u);
            } else {
              target = other.target;
              hi = std::min<unsigned>(hi, other.hi);
            }
            break;
          }
        if (target != no_state || !wanted)
          state.edges.push_back({static_cast<std::uint8_t>(lo), static_cast<std::uint8_t>(hi),
                                 state_of(edge.target, target)});
        lo = hi + 1;
      }
    }
    out.states.push_back(std::move(state));
  }
  return out;
}

}  // namespace

std::uint32_t Automaton::next(std::uint32_t state, unsigned byte) const {
  for (const Edge& edge : states[state].edges)
    if (edge.lo <= byte && byte <= edge.hi) return edge.target;
  return no_state;
}

Result<Automaton> intersection(const Automaton& a, const Automaton& b, std::uint64_t& steps) {
  return product(a, b, true, steps);
}

Result<Automaton> difference(const Automaton& a, const Automaton& b, std::uint64_t& steps) {
  return product(a, b, false, steps);
}

bool accepts_nothing(const Automaton& automaton) {
  std::vector<bool> seen(automaton.states.size());
  std::vector<std::uint32_t> open{0};
  seen[0] = true;
  const auto visit = [&](std::uint32_t state) {
    if (seen[state]) return;
    seen[state] = true;
    open.push_back(state);
  };
  while (!open.empty()) {
    const Automaton::State& state = automaton.states[open.back()];
    open.pop_back();
    if (state.accepts) return false;
    for (const Edge& edge : state.edges) visit(edge.target);
    for (const CallEdge& call : state.calls) visit(call.target);
  }
  return true;
}

}  // namespace herd::grammar
