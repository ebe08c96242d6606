// The text of the tokenizer tests, drawn in C++ exactly as tools/reference/corpus.py draws it in Python.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/json.h"

namespace herd::text::testing {

// SplitMix64 (Steele, Lea, Flood 2014), one stream for each chunk.
class Draw {
 public:
  explicit Draw(std::uint64_t stream) : state_(stream * 0xD1342543DE82EF95ull) {}

  std::uint64_t below(std::uint64_t n) {
    state_ += 0x9E3779B97F4A7C15ull;
    std::uint64_t z = state_;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return (z ^ z >> 31) % n;
  }
  template <typename T>
  const T& of(const std::vector<T>& items) {
    return items[below(items.size())];
  }

 private:
  std::uint64_t state_;
};

// FNV-1a over whole numbers.
template <typename Values>
std::uint64_t hash_of(const Values& values) {
  constexpr std::uint64_t prime = 0x100000001B3;
  std::uint64_t h = 0xCBF29CE484222325;
  for (const auto v : values) {
    std::uint64_t number = static_cast<std::uint64_t>(v);
    if constexpr (sizeof v == 1) number &= 0xFF;
    h ^= number;
    h *= prime;
  }
  return h;
}

inline void put(std::string& out, std::uint32_t c) {
  const auto byte = [&](std::uint32_t b) { out += static_cast<char>(b); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | c >> 6), byte(0x80 | (c & 63));
  } else if (c < 0x10000) {
    byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63));
  } else {
    byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)),
        byte(0x80 | (c & 63));
  }
}

class Corpus {
 public:
  static constexpr std::size_t chunks = 288;
  static constexpr std::size_t chunk_bytes = 8192;

  explicit Corpus(const std::string& path) {
    auto source = read_json(path);
    HERD_CHECK(source, "{}", to_string(source.error()));
    const auto list = [&](const char* key) { return strings(source->at(key)); };
    for (const auto& words : source->at("words").as_array()) words_.push_back(strings(words));
    code_ = list("code");
    marks_ = list("marks");
    emoji_ = list("emoji");
    spaces_ = list("spaces");
    punctuation_ = list("punctuation");
    nasty_ = list("nasty");
    for (const auto& zero : list("digits")) digits_.push_back(first_character(zero));
    for (const auto& hex : list("invalid")) invalid_.push_back(from_hex(hex));
    for (const auto& range : source->at("ranges").as_array())
      ranges_.push_back(
          {range.at(0).to_number<std::uint32_t>(), range.at(1).to_number<std::uint32_t>()});
  }

  static bool has_invalid(std::size_t chunk) { return chunk % 8 == 7; }

  [[nodiscard]] std::string chunk(std::size_t index) const {
    Draw draw(index + 1);
    std::string out;
    while (out.size() < chunk_bytes) item(draw, index, out);
    return out;
  }

 private:
  struct Range {
    std::uint32_t low, high;
  };

  static std::vector<std::string> strings(const json::value& list) {
    std::vector<std::string> out;
    for (const auto& text : list.as_array()) out.emplace_back(text.as_string());
    return out;
  }
  static std::uint32_t first_character(const std::string& text) {
    const auto* p = octets_of(text).data();
    const std::uint32_t lead = p[0];
    if (lead < 0x80) return lead;
    std::uint32_t c = lead < 0xE0 ? lead & 31 : lead < 0xF0 ? lead & 15 : lead & 7;
    for (std::size_t i = 1; i < text.size(); ++i) c = c << 6 | (p[i] & 63);
    return c;
  }
  static std::string from_hex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i < hex.size(); i += 2)
      out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return out;
  }

  void item(Draw& draw, std::size_t chunk, std::string& out) const {
    const std::uint64_t kind = draw.below(18);
    if (kind == 9) return number(draw, out);
    if (kind == 10) {
      out.append(4 * draw.below(4), ' ');
      out += draw.of(code_) + "\n";
    } else if (kind == 11) {
      const std::string& one = draw.of(spaces_);
      for (std::uint64_t n = 1 + draw.below(20); n > 0; --n)
        out += draw.below(8) == 0 ? draw.of(spaces_) : one;
    } else if (kind == 12) {
      const std::string& joiner = draw.of(joiners_);
      const std::uint64_t n = 1 + draw.below(5);
      for (std::uint64_t i = 0; i < n; ++i) out += (i == 0 ? "" : joiner) + draw.of(emoji_);
    } else if (kind == 13) {
      for (std::uint64_t n = 1 + draw.below(6); n > 0; --n) {
        out += draw.of(draw.of(words_));
        for (std::uint64_t m = draw.below(4); m > 0; --m) out += draw.of(marks_);
      }
    } else if (kind == 14) {
      for (std::uint64_t n = 1 + draw.below(8); n > 0; --n) {
        const Range range = draw.of(ranges_);
        put(out, range.low + static_cast<std::uint32_t>(draw.below(range.high - range.low + 1)));
      }
    } else if (kind == 15) {
      for (std::uint64_t n = 1 + draw.below(12); n > 0; --n) out += draw.of(nasty_);
    } else if (kind == 16 && has_invalid(chunk)) {
      for (std::uint64_t n = 1 + draw.below(3); n > 0; --n) out += draw.of(invalid_);
    } else if (kind == 17) {
      out += draw.of(punctuation_);
    } else {
      sentence(draw, chunk, out);
    }
  }

  void sentence(Draw& draw, std::size_t chunk, std::string& out) const {
    const auto& own = words_[chunk % words_.size()];
    for (std::uint64_t n = 3 + draw.below(12); n > 0; --n)
      out += draw.of(draw.below(4) != 0 ? own : draw.of(words_)) + " ";
    out.pop_back();
    out += draw.of(punctuation_);
  }

  void number(Draw& draw, std::string& out) const {
    const std::uint32_t zero = draw.of(digits_);
    for (std::uint64_t n = 1 + draw.below(12); n > 0; --n)
      put(out, zero + static_cast<std::uint32_t>(draw.below(10)));
    out += draw.of(after_number_);
  }

  std::vector<std::vector<std::string>> words_;
  std::vector<std::string> code_, marks_, emoji_, spaces_, punctuation_, nasty_, invalid_;
  std::vector<std::string> joiners_{"", "\u200d", " "};
  std::vector<std::string> after_number_{" ", ",", ".", "", "%\n", "/"};
  std::vector<std::uint32_t> digits_;
  std::vector<Range> ranges_;
};

}  // namespace herd::text::testing
