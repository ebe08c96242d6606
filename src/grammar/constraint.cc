#include "grammar/constraint.h"

#include <algorithm>
#include <ctime>

#include "base/check.h"
#include "grammar/limits.h"

namespace herd::grammar {
namespace {

constexpr std::size_t recent_masks = 8;

double thread_ms() {
  std::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// Walks the children of `top` from expanded heads on. Calls take(token node) where a token fits, leave(node) where the
// empty stack is left. Most of the way there is one reading and its state only reads bytes: then no list is touched.
// Adds its work to `steps` and stops when they pass limits::mask_steps_max. No token is taken where there would be more
// readings than are followed; `lost` becomes true then.
template <typename Take, typename Leave>
void walk(const Compiled& compiled, const TokenTrie::Tree& nodes, Stacks& stacks, const Heads& from,
          std::uint32_t top, std::uint64_t& steps, bool& lost, const Take& take,
          const Leave& leave) {
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
  std::vector<Level> levels(1);
  levels[0].heads = from;
  set(levels[0], nodes[top].end);
  std::size_t depth = 0;
  Heads next;
  for (std::uint32_t i = top + 1; i < nodes[top].end && steps <= limits::mask_steps_max;) {
    ++steps;
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
      steps += at.heads.size();
      step(compiled, at.heads, node.byte, next);
      if (next.empty()) {
        i = node.end;
        continue;
      }
    }
    bool ended = false;
    if (!expand(compiled, stacks, next, below.heads, ended, steps)) {
      lost = true;
      i = node.end;
      continue;
    }
    if (node.token >= 0) take(node.token);
    if (ended) leave(i);
    if (below.heads.empty()) {
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
    : compiled_(std::move(compiled)),
      trie_(std::move(trie)),
      budget_(std::move(budget)),
      classes_(*compiled_, TokenTrie::short_bytes) {
  // Its own, shared with nobody.
  if (!budget_) budget_ = std::make_shared<MaskBudget>(limits::mask_cache_bytes_max);
}

TokenGrammar::~TokenGrammar() { budget_->give_back(bytes_); }

std::size_t TokenGrammar::Entry::bytes() const {
  return sizeof(Entry) + few.size() * sizeof few[0] + mask.size() * sizeof mask[0] +
         leaving.size() * sizeof leaving[0];
}

// What is found by walking the tree, and the tokens of `known`, which fit without.
TokenGrammar::EntryPtr TokenGrammar::make(std::uint32_t state, const TokenTrie::Tree& tree,
                                          std::span<const std::uint64_t> known) const {
  auto made = std::make_shared<Entry>();  // shared with the memory below
  made->tree = &tree;
  Stacks stacks;
  Heads heads;
  if (expand(*compiled_, stacks, {{state, 0}}, heads, made->ends, made->steps))
    walk(
        *compiled_, tree, stacks, heads, 0, made->steps, made->lost,
        [&](std::int32_t token) {
          for (; token >= 0; token = trie_->next_same(token)) made->few.push_back(token);
        },
        [&](std::uint32_t node) {
          if (tree[node].end > node + 1) made->leaving.push_back(node);
        });
  else
    made->steps = limits::mask_steps_max + 1;
  if (made->steps > limits::mask_steps_max) {
    made->few = {};
    made->leaving = {};
    return made;
  }
  if (!known.empty() || made->few.size() > trie_->words()) {  // half the size as bits
    if (known.empty())
      made->mask.assign(trie_->words(), 0);
    else
      made->mask.assign(known.begin(), known.end());
    for (const std::int32_t token : made->few)
      made->mask[static_cast<std::size_t>(token) / 64] |= 1ull << (token % 64);
    made->few = {};
  }
  made->few.shrink_to_fit();
  return made;
}

template <typename Key>
void TokenGrammar::keep(std::unordered_map<Key, EntryPtr>& memory, Key key, EntryPtr& made) const {
  if (const auto found = memory.find(key); found != memory.end()) {
    made = found->second;
    return;
  }
  const std::size_t bytes = made->bytes();
  if (bytes_ + bytes > limits::mask_cache_bytes_max || !budget_->take(bytes)) return;
  bytes_ += bytes;
  memory.emplace(key, made);
}

TokenGrammar::Entries TokenGrammar::entries(std::uint32_t state, std::size_t looks) const {
  Entries out;
  std::uint64_t number = 0;
  bool takes_plain = false;
  {
    const std::scoped_lock lock(mutex_);
    number = classes_.of(state, looks);
    takes_plain = classes_.takes_plain(state, looks);
    if (const auto found = short_.find(number); found != short_.end()) out.of_short = found->second;
    if (const auto found = long_.find(state); found != long_.end()) out.of_long = found->second;
  }
  if (out.of_short && out.of_long) return out;
  const bool short_made = !out.of_short, long_made = !out.of_long;
  if (short_made)
    out.of_short = takes_plain ? make(state, trie_->not_plain(), trie_->plain())
                               : make(state, trie_->short_tokens(), {});
  if (long_made) out.of_long = make(state, trie_->long_tokens(), {});
  const std::scoped_lock lock(mutex_);
  if (short_made) keep(short_, number, out.of_short);
  if (long_made) keep(long_, state, out.of_long);
  return out;
}

std::size_t TokenGrammar::warm(std::int64_t milliseconds) const {
  const double until = thread_ms() + static_cast<double>(milliseconds);
  std::size_t made = 0;
  for (const bool wide : {true, false})
    for (std::uint32_t state = 0; state < compiled_->size(); ++state) {
      unsigned bytes = 0;
      for (const Edge& edge : compiled_->edges(state)) bytes += edge.hi - edge.lo + 1u;
      constexpr unsigned many = 64;
      if ((bytes >= many) != wide) continue;
      if (thread_ms() >= until) return made;
      (void)entries(state, looks_ahead);
      ++made;
    }
  return made;
}

Result<> TokenGrammar::check_first_mask(const TokenGrammarPtr& grammar) {
  Constraint constraint(grammar, {});
  (void)constraint.mask();
  if (constraint.is_too_complex())
    return fail(Code::schema_too_complex,
                "the grammar may begin in too many ways: more than {} readings of one text, or {} "
                "steps to find the tokens that fit",
                limits::heads_max, limits::mask_steps_max);
  return {};
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
    if (recent.heads == heads) {
      too_complex_ = recent.too_complex;
      steps_ = recent.steps;
      return recent.mask;
    }
  if (recent_.size() < recent_masks) recent_.emplace_back();
  oldest_ = (oldest_ + 1) % recent_.size();
  Recent& slot = recent_[oldest_];
  slot.heads = heads;
  slot.mask.assign(grammar_->trie().words(), 0);
  steps_ = 0;
  lost_ = false;
  // What was pushed to look ahead is forgotten: the stacks that are left follow from the answer alone.
  const std::size_t frames = matcher_.stacks().size();
  too_complex_ = slot.too_complex = !ended_ && (matcher_.is_lost() || !fill(heads, slot.mask));
  matcher_.stacks().shrink(frames);
  slot.steps = steps_;
  if (too_complex_) slot.mask.assign(grammar_->trie().words(), 0);
  const bool can_end = !ended_ && !too_complex_ && matcher_.can_end();
  if (lost_ && !can_end &&
      std::ranges::none_of(slot.mask, [](std::uint64_t word) { return word != 0; }))
    too_complex_ = slot.too_complex = true;
  // A token that ends the answer never stands for its text.
  for (const auto* tokens : {&ends_, &passing_})
    for (const std::int32_t token : *tokens) {
      std::uint64_t& word = slot.mask[static_cast<std::size_t>(token) / 64];
      const std::uint64_t bit = 1ull << (token % 64);
      word = can_end ? word | bit : word & ~bit;
    }
  return slot.mask;
}

// Adds what fits from these heads on. False when that takes too many steps; those of an entry count whether it was
// remembered or not, so that the same answer meets the same end whatever was asked before.
bool Constraint::fill(const Heads& heads, TokenMask& mask) {
  Heads open = heads;
  HeadSet set(open);
  constexpr std::size_t words_a_step = 8;  // of two masks that are joined
  for (std::size_t i = 0; i < open.size(); ++i) {
    const Head at = open[i];
    const TokenGrammar::Entries found = grammar_->entries(at.state);
    lost_ = lost_ || found.of_short->lost || found.of_long->lost;
    steps_ += found.of_short->steps + found.of_long->steps + mask.size() / words_a_step;
    if (steps_ > limits::mask_steps_max) return false;
    Heads expanded;
    bool ended = false;
    if (at.stack != 0) {
      const Stacks::Frame frame = matcher_.stacks()[at.stack];
      const Head below{frame.state, frame.below};
      if (!expand(matcher_.compiled(), matcher_.stacks(), {below}, expanded, ended, steps_)) {
        lost_ = true;
        expanded.clear();
      }
      if (found.of_short->ends) set.add(below);
    }
    add_entry(*found.of_short, expanded, mask);
    add_entry(*found.of_long, expanded, mask);
    if (steps_ > limits::mask_steps_max) return false;
  }
  return true;
}

// The tokens of an entry, and those that go on below it, where it is left.
void Constraint::add_entry(const TokenGrammar::Entry& entry, const Heads& below, TokenMask& mask) {
  const auto add = [&](std::int32_t token) {
    mask[static_cast<std::size_t>(token) / 64] |= 1ull << (token % 64);
  };
  for (const std::int32_t token : entry.few) add(token);
  for (std::size_t word = 0; word < entry.mask.size(); ++word) mask[word] |= entry.mask[word];
  if (below.empty()) return;
  const TokenTrie& trie = grammar_->trie();
  for (const std::uint32_t node : entry.leaving)
    walk(
        matcher_.compiled(), *entry.tree, matcher_.stacks(), below, node, steps_, lost_,
        [&](std::int32_t token) {
          for (; token >= 0; token = trie.next_same(token)) add(token);
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
  if (history_.size() > history_max) history_.pop_front();
  return true;
}

void Constraint::rollback(std::size_t tokens) {
  HERD_CHECK(tokens <= history_.size(), "{} tokens back, {} are remembered", tokens,
             history_.size());
  if (tokens == 0) return;
  const Heads heads = std::move(history_[history_.size() - tokens]);
  history_.resize(history_.size() - tokens);
  ended_ = false;
  matcher_.restore(heads);
}

}  // namespace herd::grammar
