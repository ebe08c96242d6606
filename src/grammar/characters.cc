#include "grammar/characters.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace herd::grammar {
namespace {

constexpr char32_t last_character = 0x10FFFF;

std::string utf8(char32_t c) {
  const auto tail = [&](unsigned shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

// Byte sequences between two of equal length whose tails agree to be split: the first byte's range times the rest.
NodeId between(Grammar& grammar, std::string_view lo, std::string_view hi) {
  const auto byte = [](char c) { return static_cast<unsigned>(static_cast<unsigned char>(c)); };
  if (lo.size() == 1) return grammar.range(byte(lo[0]), byte(hi[0]));
  const std::string least(lo.size() - 1, '\x80');
  const std::string most(lo.size() - 1, '\xBF');
  if (lo[0] == hi[0])
    return grammar.sequence(
        {grammar.range(byte(lo[0]), byte(lo[0])), between(grammar, lo.substr(1), hi.substr(1))});
  std::vector<NodeId> parts;
  unsigned first = byte(lo[0]);
  unsigned last = byte(hi[0]);
  if (lo.substr(1) != least) {
    parts.push_back(
        grammar.sequence({grammar.range(first, first), between(grammar, lo.substr(1), most)}));
    ++first;
  }
  NodeId end = grammar.never();
  if (hi.substr(1) != most) {
    end = grammar.sequence({grammar.range(last, last), between(grammar, least, hi.substr(1))});
    --last;
  }
  if (first <= last) {
    std::vector<NodeId> all{grammar.range(first, last)};
    for (std::size_t i = 1; i < lo.size(); ++i) all.push_back(grammar.range(0x80, 0xBF));
    parts.push_back(grammar.sequence(std::move(all)));
  }
  parts.push_back(end);
  return grammar.choice(std::move(parts));
}

NodeId plain_range(Grammar& grammar, char32_t lo, char32_t hi) {
  std::vector<NodeId> parts;
  for (const char32_t limit : {char32_t{0x7F}, char32_t{0x7FF}, char32_t{0xFFFF}, last_character}) {
    if (lo > hi) break;
    if (lo > limit) continue;
    const char32_t end = std::min(hi, limit);
    parts.push_back(between(grammar, utf8(lo), utf8(end)));
    lo = end + 1;
  }
  return grammar.choice(std::move(parts));
}

// An ASCII character that a JSON string may not hold as it is.
NodeId escaped(Grammar& grammar, char32_t c) {
  constexpr std::string_view from = "\"\\\b\f\n\r\t";
  constexpr std::string_view to = "\"\\bfnrt";
  std::vector<NodeId> ways;
  if (const auto at = from.find(static_cast<char>(c)); at != std::string_view::npos)
    ways.push_back(grammar.text(std::string{'\\', to[at]}));
  if (c < 0x20) {
    const auto digit = [&](unsigned value) {
      ByteSet set;
      const auto upper = static_cast<unsigned>("0123456789ABCDEF"[value]);
      set.add(upper, upper);
      if (value > 9) set.add(upper | 0x20, upper | 0x20);
      return grammar.bytes(set);
    };
    ways.push_back(grammar.sequence({grammar.text("\\u00"), digit(c >> 4), digit(c & 15)}));
  }
  return grammar.choice(std::move(ways));
}

}  // namespace

std::vector<CharRange> CharSet::ranges() const {
  std::vector<CharRange> cut;
  for (const CharRange range : ranges_) {
    if (range.lo < 0xD800) cut.push_back({range.lo, std::min(range.hi, char32_t{0xD7FF})});
    if (range.hi > 0xDFFF) cut.push_back({std::max(range.lo, char32_t{0xE000}), range.hi});
  }
  std::ranges::sort(cut, {}, &CharRange::lo);
  std::vector<CharRange> out;
  for (const CharRange range : cut) {
    if (!out.empty() && range.lo <= out.back().hi + 1)
      out.back().hi = std::max(out.back().hi, range.hi);
    else
      out.push_back(range);
  }
  return out;
}

CharSet CharSet::inverted() const {
  CharSet out;
  char32_t next = 0;
  for (const CharRange range : ranges()) {
    if (range.lo > next) out.add(next, range.lo - 1);
    next = range.hi + 1;
  }
  if (next <= last_character) out.add(next, last_character);
  return out;
}

CharSet CharSet::all() {
  CharSet out;
  out.add(0, last_character);
  return out;
}

NodeId characters(Grammar& grammar, const CharSet& set, Writing writing) {
  std::vector<NodeId> parts;
  for (const CharRange range : set.ranges()) {
    if (writing == Writing::plain) {
      parts.push_back(plain_range(grammar, range.lo, range.hi));
      continue;
    }
    // Between the characters that need an escape the set is written as it is.
    char32_t lo = range.lo;
    for (; lo <= range.hi && lo < 0x20; ++lo) parts.push_back(escaped(grammar, lo));
    for (const char32_t special : {char32_t{'"'}, char32_t{'\\'}}) {
      if (special < lo || special > range.hi) continue;
      if (lo < special) parts.push_back(plain_range(grammar, lo, special - 1));
      parts.push_back(escaped(grammar, special));
      lo = special + 1;
    }
    if (lo <= range.hi) parts.push_back(plain_range(grammar, lo, range.hi));
  }
  return grammar.choice(std::move(parts));
}

bool read_character(std::string_view text, std::size_t& at, char32_t& out) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(at);
  const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (at >= text.size() || (first >= 0x80 && first < 0xC2) || first > 0xF4) return false;
  out = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return false;
    out = out << 6 | (byte(at + i) & 0x3F);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (out < least[length] || out > last_character || (out >= 0xD800 && out <= 0xDFFF)) return false;
  at += length;
  return true;
}

Result<NodeId> literal(Grammar& grammar, std::string_view text, Writing writing) {
  std::vector<NodeId> parts;
  std::string run;  // characters with one spelling
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t before = at;
    char32_t c = 0;
    if (!read_character(text, at, c))
      return fail(Code::invalid_utf8, "byte {} of {} is not UTF-8", at, shown(text));
    const bool special = c < 0x20 || c == '"' || c == '\\';
    if (writing == Writing::plain || !special) {
      run += text.substr(before, at - before);
      continue;
    }
    if (!run.empty()) parts.push_back(grammar.text(run));
    run.clear();
    parts.push_back(escaped(grammar, c));
  }
  if (!run.empty()) parts.push_back(grammar.text(run));
  return grammar.sequence(std::move(parts));
}

}  // namespace herd::grammar
