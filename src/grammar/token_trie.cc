#include "grammar/token_trie.h"

#include <algorithm>
#include <numeric>

#include "grammar/plain_characters.h"

namespace herd::grammar {
namespace {

// Adds texts in the order of their bytes.
class Builder {
 public:
  explicit Builder(TokenTrie::Tree& tree) : tree_(tree) { tree_.emplace_back(); }

  // The node of this text.
  TokenTrie::Node& add(std::string_view bytes) {
    const auto [a, b] = std::ranges::mismatch(last_, bytes);
    const auto shared = static_cast<std::size_t>(a - last_.begin());
    close(shared);
    for (const char c : bytes.substr(shared)) {
      path_.push_back(static_cast<std::uint32_t>(tree_.size()));
      tree_.push_back({0, -1, static_cast<std::uint8_t>(c)});
    }
    last_ = bytes;
    return tree_[path_.back()];
  }

  void finish() {
    close(0);
    tree_[0].end = static_cast<std::uint32_t>(tree_.size());
  }

 private:
  void close(std::size_t depth) {
    while (path_.size() > depth + 1) {
      tree_[path_.back()].end = static_cast<std::uint32_t>(tree_.size());
      path_.pop_back();
    }
  }

  TokenTrie::Tree& tree_;
  std::vector<std::uint32_t> path_{0};  // nodes from the root to the last one made
  std::string_view last_;
};

bool begins_longer_in(const TokenTrie::Tree& tree, std::string_view bytes) {
  std::uint32_t at = 0;
  for (const char c : bytes) {
    std::uint32_t child = at + 1;
    while (child < tree[at].end && tree[child].byte != static_cast<std::uint8_t>(c))
      child = tree[child].end;
    if (child >= tree[at].end) return false;
    at = child;
  }
  return tree[at].end > at + 1;
}

// Ranges of bytes that a plain character is made of (UTF-8, RFC 3629).
bool is_plain(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u;
  };
  for (std::size_t i = 0; i < bytes.size();) {
    const PlainCharacter* found = nullptr;
    for (const PlainCharacter& each : plain_characters) {
      std::size_t length = 0;
      while (length < each.size() && at(i + length) >= each[length].lo &&
             at(i + length) <= each[length].hi && i + length < bytes.size())
        ++length;
      if (length == each.size()) found = &each;
    }
    if (found == nullptr) return false;
    i += found->size();
  }
  return true;
}

}  // namespace

TokenTrie::TokenTrie(std::span<const std::string> tokens)
    : tokens_(tokens.begin(), tokens.end()), same_(tokens.size(), -1) {
  std::vector<std::int32_t> order(tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) {
    const int compared = bytes_of(a).compare(bytes_of(b));  // as unsigned bytes
    return compared != 0 ? compared < 0 : a > b;
  });
  Builder short_tree(short_), long_tree(long_), not_plain_tree(not_plain_);
  plain_.resize(words());
  for (const std::int32_t token : order) {
    const std::string_view bytes = bytes_of(token);
    if (bytes.empty()) continue;
    Node& node = (bytes.size() <= short_bytes ? short_tree : long_tree).add(bytes);
    same_[static_cast<std::size_t>(token)] = node.token;
    node.token = token;
    if (bytes.size() > short_bytes) continue;
    if (is_plain(bytes))
      plain_[static_cast<std::size_t>(token) / 64] |= 1ull << (token % 64);
    else
      not_plain_tree.add(bytes).token = token;  // the last of equal ones, as above
  }
  short_tree.finish();
  long_tree.finish();
  not_plain_tree.finish();
}

bool TokenTrie::begins_longer(std::string_view bytes) const {
  return begins_longer_in(short_, bytes) || begins_longer_in(long_, bytes);
}

}  // namespace herd::grammar
