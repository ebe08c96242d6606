#include "text/name_matcher.h"

#include <algorithm>

namespace herd::text {

NameMatcher::NameMatcher(std::vector<std::pair<std::string_view, std::int32_t>> names)
    : begins_(256, false) {
  if (names.empty()) return;
  std::sort(names.begin(), names.end());
  // Level by level: the names of a node are a range of the sorted list that shares its first `depth` bytes.
  struct Range {
    std::size_t begin, end, depth;
  };
  std::vector<Range> ranges{{0, names.size(), 0}};
  nodes_.emplace_back();
  for (std::size_t at = 0; at < nodes_.size(); ++at) {
    auto [begin, end, depth] = ranges[at];
    if (names[begin].first.size() == depth) nodes_[at].token = names[begin++].second;
    nodes_[at].first_child = static_cast<std::uint32_t>(nodes_.size());
    while (begin < end) {
      const char byte = names[begin].first[depth];
      std::size_t stop = begin;
      while (stop < end && names[stop].first[depth] == byte) ++stop;
      ranges.push_back({begin, stop, depth + 1});
      nodes_.push_back({0, 0, static_cast<std::uint8_t>(byte), -1});
      ++nodes_[at].children;
      if (depth == 0) begins_[static_cast<std::uint8_t>(byte)] = true;
      begin = stop;
    }
  }
}

const NameMatcher::Node* NameMatcher::child(const Node& node, std::uint8_t byte) const {
  const auto first = nodes_.begin() + node.first_child;
  const auto last = first + node.children;
  const auto found = std::lower_bound(
      first, last, byte, [](const Node& n, std::uint8_t wanted) { return n.byte < wanted; });
  return found == last || found->byte != byte ? nullptr : &*found;
}

NameMatcher::Match NameMatcher::next(std::string_view text, std::size_t from) const {
  if (empty()) return {};
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    if (!begins_[static_cast<std::uint8_t>(text[begin])]) continue;
    Match longest;
    const Node* node = nodes_.data();
    for (std::size_t at = begin; at < text.size(); ++at) {
      node = child(*node, static_cast<std::uint8_t>(text[at]));
      if (node == nullptr) break;
      if (node->token >= 0) longest = {begin, at + 1 - begin, node->token};
    }
    if (longest.size > 0) return longest;
  }
  return {};
}

}  // namespace herd::text
