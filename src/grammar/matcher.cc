#include "grammar/matcher.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "grammar/limits.h"

namespace herd::grammar {
namespace {

constexpr std::size_t few_heads = 16;  // are searched one by one
constexpr std::size_t forcing_heads_max = 32;

std::size_t hash_of(Head head) {
  const std::uint64_t both = (std::uint64_t{head.state} << 32 | head.stack) * 0x9E3779B97F4A7C15ull;
  return static_cast<std::size_t>(both ^ both >> 29);
}

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

void Stacks::shrink(std::size_t size) {
  while (frames_.size() > size) {
    numbers_.erase(std::uint64_t{frames_.back().state} << 32 | frames_.back().below);
    frames_.pop_back();
  }
}

void HeadSet::put(std::uint32_t at) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_of(heads_[at]) & mask;
  while (slots_[slot] != 0) slot = (slot + 1) & mask;
  slots_[slot] = at + 1;
}

void HeadSet::add(Head head) {
  if (heads_.size() < few_heads) {
    if (std::ranges::find(heads_, head) == heads_.end()) heads_.push_back(head);
    return;
  }
  if (heads_.size() * 2 >= slots_.size()) {
    slots_.assign(std::bit_ceil(heads_.size() * 4), 0);
    for (std::uint32_t at = 0; at < heads_.size(); ++at) put(at);
  }
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash_of(head) & mask; slots_[slot] != 0; slot = (slot + 1) & mask)
    if (heads_[slots_[slot] - 1] == head) return;
  heads_.push_back(head);
  put(static_cast<std::uint32_t>(heads_.size() - 1));
}

bool expand(const Compiled& compiled, Stacks& stacks, const Heads& heads, Heads& out, bool& ended,
            std::uint64_t& steps) {
  out = heads;
  ended = false;
  HeadSet set(out);
  const auto too_many = [&] {
    return out.size() > limits::heads_max || stacks.size() > limits::frames_max;
  };
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (too_many()) return false;
    ++steps;
    const Head head = out[i];
    if (compiled.accepts(head.state)) {
      if (head.stack == 0)
        ended = true;
      else
        set.add({stacks[head.stack].state, stacks[head.stack].below});
    }
    for (const Compiled::Call& call : compiled.calls(head.state)) {
      if (too_many()) return false;
      ++steps;
      set.add({call.start, call.last ? head.stack : stacks.push(call.target, head.stack)});
    }
  }
  std::erase_if(out, [&](const Head& head) { return compiled.edges(head.state).empty(); });
  return true;
}

void step(const Compiled& compiled, const Heads& expanded, std::uint8_t byte, Heads& out) {
  out.clear();
  HeadSet set(out);
  for (const Head& head : expanded)
    if (const std::uint32_t next = compiled.next(head.state, byte); next != no_state)
      set.add({next, head.stack});
}

Matcher::Matcher(CompiledPtr compiled) : compiled_(std::move(compiled)) {
  restore({{compiled_->start(), 0}});
}

void Matcher::restore(const Heads& heads) {
  heads_ = heads;
  std::uint64_t steps = 0;  // few: one list of readings
  if (!expand(*compiled_, stacks_, heads_, expanded_, ended_, steps)) {
    expanded_.clear();
    ended_ = false;
  }
}

bool Matcher::accept(std::string_view bytes) {
  const Heads before = heads_;
  const std::size_t frames = stacks_.size();
  Heads next;
  for (const char c : bytes) {
    step(*compiled_, expanded_, static_cast<std::uint8_t>(c), next);
    if (!next.empty()) restore(next);
    if (next.empty() || is_lost()) {
      restore(before);
      stacks_.shrink(frames);
      return false;
    }
  }
  return true;
}

Forced Matcher::forced(std::size_t most) const {
  // Nearly always. Where many readings are followed, what they share is not worth what it costs to find.
  if (ended_ || expanded_.size() > forcing_heads_max || only_byte(*compiled_, expanded_) < 0)
    return {};
  Matcher ahead = *this;
  Forced out;
  while (out.text.size() < most && !ahead.can_end() &&
         ahead.expanded_.size() <= forcing_heads_max) {
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
