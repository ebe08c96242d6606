// Which tokens may come next in an answer that has to follow a grammar.
//
// For each state of the grammar the tokens that fit whatever is on the stack are found once, by walking the tree of the
// vocabulary, and remembered; only the few that leave the state's rule are walked again with the stack at hand (as in
// XGrammar, Dong et al. 2024). Dead ends cannot be reached as long as every byte has a token of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/matcher.h"
#include "grammar/token_trie.h"

namespace herd::grammar {

// A set of tokens: bit `token % 64` of word `token / 64`.
using TokenMask = std::vector<std::uint64_t>;

inline bool allows(std::span<const std::uint64_t> mask, std::int32_t token) {
  const auto id = static_cast<std::size_t>(token);
  return (mask[id / 64] >> (id % 64) & 1) != 0;
}

// What is remembered of one grammar over one vocabulary; shared by all answers, on any thread.
class TokenGrammar {
 public:
  TokenGrammar(CompiledPtr compiled, TriePtr trie);

  // Tokens that fit from a state on, whatever is below it.
  struct Entry {
    std::vector<std::int32_t> few;  // either these
    TokenMask mask;                 // or this, when there are many
    std::vector<std::uint32_t>
        leaving;  // nodes of the tree at which the state's rule may end; 0: at once
    [[nodiscard]] std::size_t bytes() const;
  };

  using EntryPtr = std::shared_ptr<const Entry>;  // shared by the memory and who reads it

  // Never forgotten; past limits::mask_cache_bytes_max it is made anew for each caller.
  [[nodiscard]] EntryPtr entry(std::uint32_t state) const;

  // Makes entries ahead, from the start state on, for at most this long. How many there are.
  std::size_t warm(std::int64_t milliseconds) const;

  [[nodiscard]] const CompiledPtr& compiled() const { return compiled_; }
  [[nodiscard]] const TokenTrie& trie() const { return *trie_; }

 private:
  CompiledPtr compiled_;  // shared with matchers
  TriePtr trie_;          // one per model, shared by all grammars
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::uint32_t, EntryPtr> entries_;
  mutable std::size_t bytes_ = 0;
};

using TokenGrammarPtr = std::shared_ptr<const TokenGrammar>;  // shared by its answers

// One answer. Not for several threads at once; a copy goes its own way.
class Constraint {
 public:
  // `ends`: the tokens that may end the answer; they are allowed exactly where the text may end.
  Constraint(TokenGrammarPtr grammar, std::vector<std::int32_t> ends);

  // The tokens allowed next, trie().words() words; valid until the next call of a non-const member. Empty of tokens
  // only after the end, or when a limit of matcher.h is passed.
  std::span<const std::uint64_t> mask();

  // Goes on by a token. False, and nothing changes, when it is not allowed.
  bool accept(std::int32_t token);
  // Takes back the last tokens.
  void rollback(std::size_t tokens);

  [[nodiscard]] bool can_end() const { return matcher_.can_end(); }
  // An end token was accepted, or nothing but the end can follow.
  [[nodiscard]] bool is_done() const { return ended_ || matcher_.must_end(); }
  // What every answer goes on with: bytes that need no model.
  [[nodiscard]] std::string forced_text() const { return ended_ ? "" : matcher_.forced(); }

 private:
  void add_head(Head head, TokenMask& mask);
  void add_subtree(std::uint32_t node, const Heads& heads, TokenMask& mask);

  TokenGrammarPtr grammar_;  // shared with other answers
  std::vector<std::int32_t> ends_;
  Matcher matcher_;
  std::vector<Heads> history_;
  bool ended_ = false;
  // The masks of the last few different states of reading: inside a string one follows the other.
  struct Recent {
    Heads heads;
    TokenMask mask;
  };
  std::vector<Recent> recent_;
  std::size_t oldest_ = 0;
};

}  // namespace herd::grammar
