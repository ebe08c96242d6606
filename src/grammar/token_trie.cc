#include "grammar/token_trie.h"

#include <algorithm>
#include <numeric>

namespace herd::grammar {

TokenTrie::TokenTrie(std::span<const std::string> tokens)
    : tokens_(tokens.begin(), tokens.end()), same_(tokens.size(), -1) {
  std::vector<std::int32_t> order(tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) {
    const int compared = bytes_of(a).compare(bytes_of(b));  // as unsigned bytes
    return compared != 0 ? compared < 0 : a > b;
  });
  nodes_.emplace_back();
  std::vector<std::uint32_t> path{0};  // nodes from the root to the last one made
  std::string_view last;
  for (const std::int32_t token : order) {
    const std::string_view bytes = bytes_of(token);
    if (bytes.empty()) continue;
    const auto [a, b] = std::ranges::mismatch(last, bytes);
    const auto shared = static_cast<std::size_t>(a - last.begin());
    while (path.size() > shared + 1) {
      nodes_[path.back()].end = static_cast<std::uint32_t>(nodes_.size());
      path.pop_back();
    }
    for (const char c : bytes.substr(shared)) {
      path.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back({0, -1, static_cast<std::uint8_t>(c)});
    }
    Node& node = nodes_[path.back()];
    same_[static_cast<std::size_t>(token)] = node.token;
    node.token = token;
    last = bytes;
  }
  for (const std::uint32_t node : path)
    nodes_[node].end = static_cast<std::uint32_t>(nodes_.size());
}

std::uint32_t TokenTrie::find(std::string_view bytes) const {
  std::uint32_t at = 0;
  for (const char c : bytes) {
    std::uint32_t child = at + 1;
    while (child < nodes_[at].end && nodes_[child].byte != static_cast<std::uint8_t>(c))
      child = nodes_[child].end;
    if (child >= nodes_[at].end) return 0;
    at = child;
  }
  return at;
}

}  // namespace herd::grammar
