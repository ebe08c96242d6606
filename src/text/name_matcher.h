// Finds the names of added and special tokens in text: at the leftmost place, the longest of them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace herd::text {

class NameMatcher {
 public:
  struct Match {
    std::size_t begin = 0;
    std::size_t size = 0;  // 0: no name in the rest of the text
    std::int32_t token = -1;
  };

  NameMatcher() = default;
  // Names and their tokens; no name is empty or twice there. Names are bounded by limits::special_token_bytes_max,
  // which bounds the work per byte of text.
  explicit NameMatcher(std::vector<std::pair<std::string_view, std::int32_t>> names);

  [[nodiscard]] bool empty() const { return nodes_.empty(); }

  // The first match that begins at `from` or later.
  [[nodiscard]] Match next(std::string_view text, std::size_t from) const;

 private:
  // A trie; the children of a node stand together, sorted by byte.
  struct Node {
    std::uint32_t first_child = 0;
    std::uint16_t children = 0;
    std::uint8_t byte = 0;
    std::int32_t token = -1;
  };
  [[nodiscard]] const Node* child(const Node& node, std::uint8_t byte) const;

  std::vector<Node> nodes_;
  std::vector<bool> begins_;  // [256] whether a name begins with the byte
};

}  // namespace herd::text
