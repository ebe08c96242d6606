// A vocabulary as a tree of bytes, laid out in one array so that walking it reads memory forwards.
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

  // One text per token id; empty ones (special tokens) are in no answer except as its end.
  explicit TokenTrie(std::span<const std::string> tokens);

  // Node 0 is the root. Children follow their parent at once; siblings at `end`.
  [[nodiscard]] std::span<const Node> nodes() const { return nodes_; }
  [[nodiscard]] std::int32_t next_same(std::int32_t token) const {
    return same_[static_cast<std::size_t>(token)];
  }
  [[nodiscard]] std::string_view bytes_of(std::int32_t token) const {
    return tokens_[static_cast<std::size_t>(token)];
  }
  // The node of these bytes below the root; 0 when no token begins with them.
  [[nodiscard]] std::uint32_t find(std::string_view bytes) const;
  // Whether a token is longer than these bytes and begins with them.
  [[nodiscard]] bool begins_longer(std::string_view bytes) const {
    const std::uint32_t node = find(bytes);
    return node != 0 && nodes_[node].end > node + 1;
  }
  [[nodiscard]] std::size_t vocabulary() const { return tokens_.size(); }
  [[nodiscard]] std::size_t words() const { return (tokens_.size() + 63) / 64; }

 private:
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> same_;
  std::vector<Node> nodes_;
};

using TriePtr = std::shared_ptr<const TokenTrie>;  // one per model, shared by all its grammars

}  // namespace herd::grammar
