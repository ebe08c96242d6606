// Sets of characters, and how one character is written in bytes: plain UTF-8, or inside a JSON string.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar/grammar.h"

namespace herd::grammar {

// Code points from lo to hi.
struct CharRange {
  char32_t lo = 0;
  char32_t hi = 0;
};

class CharSet {
 public:
  void add(char32_t lo, char32_t hi) { ranges_.push_back({lo, hi}); }
  void add(const CharSet& other) {
    ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  }
  // Sorted, joined, without surrogates.
  [[nodiscard]] std::vector<CharRange> ranges() const;
  [[nodiscard]] CharSet inverted() const;
  static CharSet all();

 private:
  std::vector<CharRange> ranges_;
};

// json_string: as JSON must: quote, backslash and controls escaped, the rest UTF-8. One spelling per character, except
// that \u00XX may stand for the short escapes.
enum class Writing : std::uint8_t { plain, json_string };

// A node that reads one character of the set.
NodeId characters(Grammar& grammar, const CharSet& set, Writing writing);

// A node that reads this text (UTF-8), character by character. Fails with invalid_utf8.
Result<NodeId> literal(Grammar& grammar, std::string_view text, Writing writing);

// The code point at `at`, which moves on; nothing when the bytes there are not UTF-8.
bool read_character(std::string_view text, std::size_t& at, char32_t& out);

}  // namespace herd::grammar
