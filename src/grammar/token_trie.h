// A vocabulary as trees of bytes, each laid out in one array so that walking it reads memory forwards.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace herd::grammar {

class TokenTrie {
 public:
  struct Node {
    std::uint32_t end = 0;    // the first node after this one's subtree
    std::int32_t token = -1;  // that ends here; others with the same bytes follow in next_same()
    std::uint8_t byte = 0;
  };
  // Node 0 is the root. Children follow their parent at once; siblings at `end`.
  using Tree = std::vector<Node>;

  // Most tokens are short: what they may do in a state follows from few bytes, and is the same in many states.
  static constexpr std::size_t short_bytes = 20;

  // One text per token id; empty ones (special tokens) are in no answer except as its end.
  explicit TokenTrie(std::span<const std::string> tokens);

  [[nodiscard]] const Tree& short_tokens() const { return short_; }  // of at most short_bytes
  [[nodiscard]] const Tree& long_tokens() const { return long_; }    // the others
  // The short ones in two parts. Plain: whole characters, none of them a quote, a backslash or a control character, so
  // what any string of JSON may hold; most tokens are. As a mask, see constraint.h.
  [[nodiscard]] std::span<const std::uint64_t> plain() const { return plain_; }
  [[nodiscard]] const Tree& not_plain() const { return not_plain_; }
  [[nodiscard]] std::int32_t next_same(std::int32_t token) const {
    return same_[static_cast<std::size_t>(token)];
  }
  [[nodiscard]] std::string_view bytes_of(std::int32_t token) const {
    return tokens_[static_cast<std::size_t>(token)];
  }
  // Whether a token is longer than these bytes and begins with them.
  [[nodiscard]] bool begins_longer(std::string_view bytes) const;
  [[nodiscard]] std::size_t vocabulary() const { return tokens_.size(); }
  [[nodiscard]] std::size_t words() const { return (tokens_.size() + 63) / 64; }

 private:
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> same_;
  Tree short_, long_, not_plain_;
  std::vector<std::uint64_t> plain_;
};

using TriePtr = std::shared_ptr<const TokenTrie>;  // one per model, shared by all its grammars

}  // namespace herd::grammar
