#include "grammar/constraint.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "grammar/limits.h"

namespace herd::grammar {
namespace {

constexpr std::size_t recent_masks = 8;

// Walks the children of `top` from expanded heads on. Calls take(token node) where a token fits, leave(node) where the
// empty stack is left. Most of the way there is one reading and its state only reads bytes: then no list is touched.
template <typename Take, typename Leave>
void walk(const Compiled& compiled, const TokenTrie& trie, Stacks& stacks, const Heads& from,
          std::uint32_t top, const Take& take, const Leave& leave) {
  struct Level {
    std::uint32_t end = 0;
    bool single = false;
    Head head;    // if single
    Heads heads;  // expanded, if not
  };
  const auto set = [](Level& level, std::uint32_t end) {
    level.end = end;
    level.single = level.heads.size() == 1;
    if (level.single) level.head = level.heads.front();
  };
  const auto nodes = trie.nodes();
  std::vector<Level> levels(1);
  levels[0].heads = from;
  set(levels[0], nodes[top].end);
  std::size_t depth = 0;
  Heads next;
  for (std::uint32_t i = top + 1; i < nodes[top].end;) {
    while (i >= levels[depth].end) --depth;
    if (levels.size() < depth + 2) levels.emplace_back();
    const TokenTrie::Node& node = nodes[i];
    const Level& at = levels[depth];
    Level& below = levels[depth + 1];
    if (at.single) {
      const std::uint32_t state = compiled.next(at.head.state, node.byte);
      if (state == no_state) {
        i = node.end;
        continue;
      }
      if (compiled.is_plain(state)) {
        if (node.token >= 0) take(node.token);
        below.end = node.end;
        below.single = true;
        below.head = {state, at.head.stack};
        ++depth;
        ++i;
        continue;
      }
      next.assign(1, {state, at.head.stack});
    } else {
      step(compiled, at.heads, node.byte, next);
      if (next.empty()) {
        i = node.end;
        continue;
      }
    }
    if (node.token >= 0) take(node.token);
    bool ended = false;
    const bool fits = expand(compiled, stacks, next, below.heads, ended);
    if (ended) leave(i);
    if (!fits || below.heads.empty()) {
      i = node.end;
      continue;
    }
    set(below, node.end);
    ++depth;
    ++i;
  }
}

}  // namespace

// The budget is shared with other grammars.
TokenGrammar::TokenGrammar(CompiledPtr compiled, TriePtr trie, MaskBudgetPtr budget)
    : compiled_(std::move(compiled)), trie_(std::move(trie)), budget_(std::move(budget)) {
  if (!budget_) budget_ = std::make_shared<MaskBudget>(limits::mask_cache_bytes_max);  // its own
}

TokenGrammar::~TokenGrammar() { budget_->give_back(bytes_); }

std::size_t TokenGrammar::Entry::bytes() const {
  return sizeof(Entry) + few.size() * sizeof few[0] + mask.size() * sizeof mask[0] +
         leaving.size() * sizeof leaving[0];
}

TokenGrammar::EntryPtr TokenGrammar::entry(std::uint32_t state) const {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = entries_.find(state); found != entries_.end()) return found->second;
  }
  auto made = std::make_shared<Entry>();  // shared with the memory below
  Stacks stacks;
  Heads heads;
  bool ended = false;
  if (expand(*compiled_, stacks, {{state, 0}}, heads, ended)) {
    if (ended) made->leaving.push_back(0);
    walk(
        *compiled_, *trie_, stacks, heads, 0,
        [&](std::int32_t token) {
          for (; token >= 0; token = trie_->next_same(token)) made->few.push_back(token);
        },
        [&](std::uint32_t node) { made->leaving.push_back(node); });
  }
  if (made->few.size() > trie_->words()) {  // half the size as bits
    made->mask.assign(trie_->words(), 0);
    for (const std::int32_t token : made->few)
      made->mask[static_cast<std::size_t>(token) / 64] |= 1ull << (token % 64);
    made->few = {};
  }
  const std::scoped_lock lock(mutex_);
  if (const auto found = entries_.find(state); found != entries_.end()) return found->second;
  const std::size_t bytes = made->bytes();
  if (bytes_ + bytes > limits::mask_cache_bytes_max || !budget_->take(bytes)) return made;
  bytes_ += bytes;
  entries_.emplace(state, made);
  return made;
}

std::size_t TokenGrammar::warm(std::int64_t milliseconds) const {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  std::size_t made = 0;
  for (; made < compiled_->size() && std::chrono::steady_clock::now() < until; ++made)
    static_cast<void>(entry(static_cast<std::uint32_t>(made)));
  return made;
}

Constraint::Constraint(TokenGrammarPtr grammar, std::vector<std::int32_t> ends,
                       std::vector<std::int32_t> passing)
    : grammar_(std::move(grammar)),
      ends_(std::move(ends)),
      passing_(std::move(passing)),
      matcher_(grammar_->compiled()) {
  for (const auto* tokens : {&ends_, &passing_})
    for (const std::int32_t token : *tokens)
      HERD_CHECK(token >= 0 && static_cast<std::size_t>(token) < grammar_->trie().vocabulary(),
                 "token {} of {}", token, grammar_->trie().vocabulary());
}

std::span<const std::uint64_t> Constraint::mask() {
  static const Heads none;
  const Heads& heads = ended_ ? none : matcher_.heads();
  for (const Recent& recent : recent_)
    if (recent.heads == heads) return recent.mask;
  if (recent_.size() < recent_masks) recent_.emplace_back();
  oldest_ = (oldest_ + 1) % recent_.size();
  Recent& slot = recent_[oldest_];
  slot.heads = heads;
  slot.mask.assign(grammar_->trie().words(), 0);
  for (const Head& head : heads) add_head(head, slot.mask);
  // A token that ends the answer never stands for its text.
  const bool can_end = !ended_ && matcher_.can_end();
  for (const auto* tokens : {&ends_, &passing_})
    for (const std::int32_t token : *tokens) {
      std::uint64_t& word = slot.mask[static_cast<std::size_t>(token) / 64];
      const std::uint64_t bit = 1ull << (token % 64);
      word = can_end ? word | bit : word & ~bit;
    }
  return slot.mask;
}

void Constraint::add_head(Head head, TokenMask& mask) {
  Heads open{head};
  for (std::size_t i = 0; i < open.size() && i < limits::heads_max; ++i) {
    const Head at = open[i];
    const auto entry = grammar_->entry(at.state);
    for (const std::int32_t token : entry->few)
      mask[static_cast<std::size_t>(token) / 64] |= 1ull << (token % 64);
    for (std::size_t word = 0; word < entry->mask.size(); ++word) mask[word] |= entry->mask[word];
    if (at.stack == 0 || entry->leaving.empty()) continue;
    const Stacks::Frame frame = matcher_.stacks()[at.stack];
    const Head below{frame.state, frame.below};
    Heads expanded;
    bool ended = false;
    if (!expand(matcher_.compiled(), matcher_.stacks(), {below}, expanded, ended)) continue;
    for (const std::uint32_t node : entry->leaving) {
      if (node != 0)
        add_subtree(node, expanded, mask);
      else if (std::ranges::find(open, below) == open.end())
        open.push_back(below);
    }
  }
}

void Constraint::add_subtree(std::uint32_t node, const Heads& heads, TokenMask& mask) {
  const TokenTrie& trie = grammar_->trie();
  walk(
      matcher_.compiled(), trie, matcher_.stacks(), heads, node,
      [&](std::int32_t token) {
        for (; token >= 0; token = trie.next_same(token))
          mask[static_cast<std::size_t>(token) / 64] |= 1ull << (token % 64);
      },
      [](std::uint32_t) {});
}

bool Constraint::accept(std::int32_t token) {
  if (ended_ || token < 0 || static_cast<std::size_t>(token) >= grammar_->trie().vocabulary())
    return false;
  const bool ends = std::ranges::find(ends_, token) != ends_.end();
  const bool passes = std::ranges::find(passing_, token) != passing_.end();
  const std::string_view bytes = grammar_->trie().bytes_of(token);
  Heads before = matcher_.heads();
  if (ends || passes) {
    if (!matcher_.can_end()) return false;
    ended_ = ends;
  } else if (bytes.empty() || !matcher_.accept(bytes)) {
    return false;
  }
  history_.push_back(std::move(before));
  return true;
}

void Constraint::rollback(std::size_t tokens) {
  HERD_CHECK(tokens <= history_.size(), "{} tokens back, {} were accepted", tokens,
             history_.size());
  if (tokens == 0) return;
  const Heads heads = std::move(history_[history_.size() - tokens]);
  history_.resize(history_.size() - tokens);
  ended_ = false;
  matcher_.restore(heads);
}

}  // namespace herd::grammar
