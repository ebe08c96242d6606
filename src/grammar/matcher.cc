#include "grammar/matcher.h"

#include <algorithm>

#include "base/check.h"
#include "grammar/limits.h"

namespace herd::grammar {
namespace {

// The byte that all expanded heads read next, or -1.
int only_byte(const Compiled& compiled, const Heads& expanded) {
  int found = -1;
  for (const Head& head : expanded)
    for (const Edge& edge : compiled.edges(head.state)) {
      if (edge.lo != edge.hi || (found >= 0 && found != edge.lo)) return -1;
      found = edge.lo;
    }
  return found;
}

}  // namespace

std::uint32_t Stacks::push(std::uint32_t state, std::uint32_t below) {
  const auto [at, fresh] = numbers_.try_emplace(std::uint64_t{state} << 32 | below,
                                                static_cast<std::uint32_t>(frames_.size()));
  if (fresh) frames_.push_back({state, below});
  return at->second;
}

void Stacks::clear() {
  frames_.resize(1);
  numbers_.clear();
}

bool expand(const Compiled& compiled, Stacks& stacks, const Heads& heads, Heads& out, bool& ended) {
  out = heads;
  ended = false;
  const auto add = [&](Head head) {
    if (std::ranges::find(out, head) == out.end()) out.push_back(head);
  };
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out.size() > limits::heads_max || stacks.size() > limits::frames_max) return false;
    const Head head = out[i];
    if (compiled.accepts(head.state)) {
      if (head.stack == 0)
        ended = true;
      else
        add({stacks[head.stack].state, stacks[head.stack].below});
    }
    for (const Compiled::Call& call : compiled.calls(head.state))
      add({call.start, call.last ? head.stack : stacks.push(call.target, head.stack)});
  }
  std::erase_if(out, [&](const Head& head) { return compiled.edges(head.state).empty(); });
  return true;
}

void step(const Compiled& compiled, const Heads& expanded, std::uint8_t byte, Heads& out) {
  out.clear();
  for (const Head& head : expanded) {
    const std::uint32_t next = compiled.next(head.state, byte);
    if (next == no_state) continue;
    const Head to{next, head.stack};
    if (std::ranges::find(out, to) == out.end()) out.push_back(to);
  }
}

Matcher::Matcher(CompiledPtr compiled) : compiled_(std::move(compiled)) {
  restore({{compiled_->start(), 0}});
}

void Matcher::restore(const Heads& heads) {
  heads_ = heads;
  if (!expand(*compiled_, stacks_, heads_, expanded_, ended_)) {
    expanded_.clear();
    ended_ = false;
  }
}

bool Matcher::accept(std::string_view bytes) {
  const Heads before = heads_;
  Heads next;
  for (const char c : bytes) {
    step(*compiled_, expanded_, static_cast<std::uint8_t>(c), next);
    if (!next.empty()) restore(next);
    if (next.empty() || (expanded_.empty() && !ended_)) {
      restore(before);
      return false;
    }
  }
  return true;
}

Forced Matcher::forced(std::size_t most) const {
  if (ended_ || only_byte(*compiled_, expanded_) < 0) return {};  // nearly always
  Matcher ahead = *this;
  Forced out;
  while (out.text.size() < most && !ahead.can_end()) {
    const int byte = only_byte(*compiled_, ahead.expanded_);
    if (byte < 0) break;
    const char c = static_cast<char>(byte);
    if (!ahead.accept({&c, 1})) break;
    out.text += c;
  }
  out.to_end = ahead.must_end();
  return out;
}

}  // namespace herd::grammar
