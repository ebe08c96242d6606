// Which tokens may come next in an answer that has to follow a grammar.
//
// For each state of the grammar the tokens that fit whatever is on the stack are found once, by walking the tree of the
// vocabulary, and remembered; only the few that leave the state's rule are walked again with the stack at hand (as in
// XGrammar, Dong et al. 2024). Dead ends cannot be reached as long as every byte has a token of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/matcher.h"
#include "grammar/state_classes.h"
#include "grammar/token_trie.h"

namespace herd::grammar {

// A set of tokens: bit `token % 64` of word `token / 64`.
using TokenMask = std::vector<std::uint64_t>;

inline bool allows(std::span<const std::uint64_t> mask, std::int32_t token) {
  const auto id = static_cast<std::size_t>(token);
  return (mask[id / 64] >> (id % 64) & 1) != 0;
}

// Bytes that the remembered masks of several grammars may take together.
class MaskBudget {
 public:
  explicit MaskBudget(std::size_t bytes_max) : max_(bytes_max) {}
  // False, and nothing is taken, when there is not so much left.
  bool take(std::size_t bytes) {
    if (used_.fetch_add(bytes) + bytes <= max_) return true;
    used_ -= bytes;
    return false;
  }
  void give_back(std::size_t bytes) { used_ -= bytes; }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  const std::size_t max_;
  std::atomic<std::size_t> used_ = 0;
};

using MaskBudgetPtr = std::shared_ptr<MaskBudget>;  // shared by the grammars that live on it

// What is remembered of one grammar over one vocabulary; shared by all answers, on any thread.
class TokenGrammar {
 public:
  // Without a budget its own is limits::mask_cache_bytes_max.
  TokenGrammar(CompiledPtr compiled, TriePtr trie, MaskBudgetPtr budget = nullptr);
  TokenGrammar(const TokenGrammar&) = delete;
  TokenGrammar& operator=(const TokenGrammar&) = delete;
  ~TokenGrammar();

  // Tokens that fit from a state on, whatever is below it.
  struct Entry {
    std::vector<std::int32_t> few;          // either these
    TokenMask mask;                         // or this, when there are many
    std::vector<std::uint32_t> leaving;     // nodes of the tree at which the state's rule may end
    const TokenTrie::Tree* tree = nullptr;  // of these nodes
    bool ends = false;                      // it may end at once
    bool lost = false;                      // left out what has more readings than are followed
    std::uint64_t steps = 0;  // what making it cost; past limits::mask_steps_max it is not made
    [[nodiscard]] std::size_t bytes() const;
  };

  using EntryPtr = std::shared_ptr<const Entry>;  // shared by the memory and who reads it

  // Of short tokens and of long ones (TokenTrie). Never forgotten; past limits::mask_cache_bytes_max or the budget
  // they are made anew for each caller.
  struct Entries {
    EntryPtr of_short, of_long;
  };
  [[nodiscard]] Entries entries(std::uint32_t state) const {
    return entries(state, looks_waited_for);
  }

  // Makes entries ahead, for at most this long of the thread's own time: first of states with many ways, which take
  // milliseconds each. How many states were looked at.
  std::size_t warm(std::int64_t milliseconds) const;

  // Fails with schema_too_complex where the first token of an answer would find no mask (Constraint::is_too_complex).
  // `grammar` is shared with nobody by it.
  [[nodiscard]] static Result<> check_first_mask(
      const std::shared_ptr<const TokenGrammar>& grammar);

  [[nodiscard]] const CompiledPtr& compiled() const { return compiled_; }
  [[nodiscard]] const TokenTrie& trie() const { return *trie_; }

 private:
  // Of state_classes.h: where an answer waits for them, and ahead.
  static constexpr std::size_t looks_waited_for = 4'000, looks_ahead = 64'000;

  [[nodiscard]] Entries entries(std::uint32_t state, std::size_t looks) const;
  [[nodiscard]] EntryPtr make(std::uint32_t state, const TokenTrie::Tree& tree,
                              std::span<const std::uint64_t> known) const;
  template <typename Key>
  void keep(std::unordered_map<Key, EntryPtr>& memory, Key key, EntryPtr& made) const;

  CompiledPtr compiled_;  // shared with matchers
  TriePtr trie_;          // one per model, shared by all grammars
  MaskBudgetPtr budget_;  // shared with other grammars
  mutable std::mutex mutex_;
  mutable StateClasses classes_;
  mutable std::unordered_map<std::uint64_t, EntryPtr> short_;  // by class
  mutable std::unordered_map<std::uint32_t, EntryPtr> long_;   // by state
  mutable std::size_t bytes_ = 0;
};

using TokenGrammarPtr = std::shared_ptr<const TokenGrammar>;  // shared by its answers

// One answer. Not for several threads at once; a copy goes its own way.
class Constraint {
 public:
  // `ends`: the tokens that may end the answer; they are allowed exactly where the text may end. So are `passing`
  // ones, which are no part of the text and change nothing.
  Constraint(TokenGrammarPtr grammar, std::vector<std::int32_t> ends,
             std::vector<std::int32_t> passing = {});

  // The tokens allowed next, trie().words() words; valid until the next call of a non-const member. Empty of tokens
  // only after the end, or when a limit is passed. Each way of reading on is looked at alone: where there are so many
  // that together they pass a limit, accept() may refuse what is allowed here.
  std::span<const std::uint64_t> mask();
  // Whether the last mask is empty because it takes more than limits::mask_steps_max steps, or because every way on has
  // more readings than are followed.
  [[nodiscard]] bool is_too_complex() const { return too_complex_; }
  // What the last mask costs: nodes of the vocabulary's tree, for each reading, those of remembered entries included.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

  // Goes on by a token. False, and nothing changes, when it is not allowed or leads to more readings than are
  // followed.
  bool accept(std::int32_t token);
  // Takes back the last tokens, at most so many: guesses are fewer, and a long answer's readings are not kept.
  static constexpr std::size_t history_max = 1024;
  void rollback(std::size_t tokens);

  [[nodiscard]] bool can_end() const { return matcher_.can_end(); }
  // An end token was accepted, or nothing but the end can follow.
  [[nodiscard]] bool is_done() const { return ended_ || matcher_.must_end(); }
  // What every answer goes on with: bytes that need no model.
  [[nodiscard]] Forced forced() const { return ended_ ? Forced() : matcher_.forced(); }

 private:
  bool fill(const Heads& heads, TokenMask& mask);
  void add_entry(const TokenGrammar::Entry& entry, const Heads& below, TokenMask& mask);

  TokenGrammarPtr grammar_;  // shared with other answers
  std::vector<std::int32_t> ends_, passing_;
  Matcher matcher_;
  std::deque<Heads> history_;  // in front of each of the last tokens
  bool ended_ = false;
  std::uint64_t steps_ = 0;
  bool too_complex_ = false;
  bool lost_ = false;  // what the last mask left out, see Entry
  // The masks of the last few different states of reading: inside a string one follows the other.
  struct Recent {
    Heads heads;
    TokenMask mask;
    std::uint64_t steps = 0;
    bool too_complex = false;
  };
  std::vector<Recent> recent_;
  std::size_t oldest_ = 0;
};

}  // namespace herd::grammar
