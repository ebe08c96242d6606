// The alternatives of the pattern, in order, and what their backtracking comes to:
//   1  P? U* W+ C?     U: upper-case or caseless letters and marks, W: lower-case or caseless letters and marks
//   2  P? U+ W* C?     P: one character that is no letter, number or newline; C: 's 't 're 've 'm 'll 'd, any case
//   3  N{1,3}         or, where every digit is a piece, N
//   4  ' '? O+ [\r\n/]*       O: neither space, letter nor number (marks are O too)
//   5  \s* [\r\n]+            up to the last newline of the run of spaces
//   6  \s+ (?!\S)             the run without its last character, unless the text ends
//   7  \s+                    one space before something else
// Caseless letters and marks are both U and W, so 1 may have to give back part of what U* took: to its last character
// that is also a W. After that point stand only upper-case letters, so nothing but C could follow.
#include "text/split.h"

#include "base/bytes.h"
#include "text/character_class.h"
#include "text/utf8.h"

namespace herd::text {
namespace {

using flag::in_lower_run;
using flag::in_upper_run;
using flag::letter;
using flag::newline;
using flag::number;
using flag::space;

constexpr std::array<std::uint8_t, 128> ascii_flags = [] {
  std::array<std::uint8_t, 128> flags{};
  for (int c = 'A'; c <= 'Z'; ++c) flags[static_cast<std::size_t>(c)] = class_flags[1];
  for (int c = 'a'; c <= 'z'; ++c) flags[static_cast<std::size_t>(c)] = class_flags[2];
  for (int c = '0'; c <= '9'; ++c) flags[static_cast<std::size_t>(c)] = class_flags[5];
  for (const std::size_t c : {9u, 11u, 12u, 32u}) flags[c] = class_flags[6];
  for (const std::size_t c : {10u, 13u}) flags[c] = class_flags[7];
  return flags;
}();

struct Seen {
  std::uint8_t flags;
  std::uint32_t size;
  bool has(std::uint8_t wanted) const { return (flags & wanted) != 0; }
};

// Counts looks when `counting`, else costs nothing.
template <bool counting>
class Scanner {
 public:
  Scanner(std::string_view text, int numbers_max, std::uint64_t* work)
      : begin_(octets_of(text).data()),
        end_(begin_ + text.size()),
        numbers_max_(numbers_max),
        work_(work) {}

  std::size_t piece_end(std::size_t at) {
    const unsigned char* p = begin_ + at;
    const Seen first = look(p);
    const unsigned char* end = letters(p, first);
    if (end == nullptr && first.has(number)) end = numbers(p);
    if (end == nullptr) end = others(p, first);
    if (end == nullptr) end = spaces(p);
    return static_cast<std::size_t>(end - begin_);
  }

 private:
  Seen look(const unsigned char* p) {
    if constexpr (counting) ++*work_;
    if (*p < 0x80) return {ascii_flags[*p], 1};
    const Character c = character_at(p, end_);
    return {flags_of(c.code_point), c.size};
  }

  // Alternatives 1 and 2; null when neither matches at `p`.
  const unsigned char* letters(const unsigned char* p, Seen first) {
    const bool prefixed = !first.has(letter | number | newline);
    if (!prefixed && !first.has(letter)) return nullptr;
    const unsigned char* const run = prefixed ? p + first.size : p;
    const unsigned char* at = run;
    const unsigned char* after_both =
        nullptr;  // end of the last character of the U run that is also a W
    Seen seen{0, 0};
    for (; at < end_; at += seen.size) {
      seen = look(at);
      if (!seen.has(in_upper_run)) break;
      if (seen.has(in_lower_run)) after_both = at + seen.size;
    }
    if (at < end_ && seen.has(in_lower_run)) {  // a lower-case letter: W+ goes on from here
      while ((at += seen.size) < end_ && (seen = look(at)).has(in_lower_run)) {
      }
      return contraction(at);
    }
    if (after_both != nullptr) return contraction(after_both);
    if (first.has(in_lower_run)) return contraction(p + first.size);  // a mark alone: 1 without P
    if (at > run) return contraction(at);                             // upper case only: 2
    return nullptr;
  }

  // `p`, or behind the contraction that stands there. (?i) folds U+017F (long s) to s in both reference engines.
  const unsigned char* contraction(const unsigned char* p) {
    if (end_ - p < 2 || *p != '\'') return p;
    if constexpr (counting) *work_ += 2;
    const auto lower = [](unsigned char c) { return static_cast<unsigned char>(c | 0x20); };
    const unsigned char a = lower(p[1]);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
    if (end_ - p < 3) return p;
    const unsigned char b = lower(p[2]);
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
    if (p[1] == 0xC5 && p[2] == 0xBF) return p + 3;
    return p;
  }

  // Alternative 3, behind a number.
  const unsigned char* numbers(const unsigned char* p) {
    for (int i = 0; i < numbers_max_ && p < end_; ++i) {
      const Seen seen = look(p);
      if (!seen.has(number)) break;
      p += seen.size;
    }
    return p;
  }

  // Alternative 4; null when it does not match at `p`.
  const unsigned char* others(const unsigned char* p, Seen first) {
    const unsigned char* at = *p == ' ' ? p + 1 : p;
    if (at == p && first.has(space | letter | number)) return nullptr;
    const unsigned char* const run = at;
    while (at < end_) {
      const Seen seen = look(at);
      if (seen.has(space | letter | number)) break;
      at += seen.size;
    }
    if (at == run) return nullptr;
    while (at < end_ && (*at == '\r' || *at == '\n' || *at == '/')) {
      if constexpr (counting) ++*work_;
      ++at;
    }
    return at;
  }

  // Alternatives 5, 6 and 7, at a space.
  const unsigned char* spaces(const unsigned char* p) {
    const unsigned char* at = p;
    const unsigned char* last = p;  // where the last character of the run begins
    const unsigned char* after_newline = nullptr;
    while (at < end_) {
      const Seen seen = look(at);
      if (!seen.has(space)) break;
      last = at;
      at += seen.size;
      if (seen.has(newline)) after_newline = at;
    }
    if (after_newline != nullptr) return after_newline;
    if (at == end_ || last == p) return at;
    return last;
  }

  const unsigned char* begin_;
  const unsigned char* end_;
  int numbers_max_;
  std::uint64_t* work_;
};

}  // namespace

std::size_t piece_end(std::string_view text, std::size_t begin, Split split) {
  if (split == Split::none) return text.size();
  return Scanner<false>(text, split == Split::llama4 ? 3 : 1, nullptr).piece_end(begin);
}

std::size_t safe_cut(std::string_view text, std::size_t at) {
  const auto begins_piece = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (at == 0) return 0;
  for (at = text.find('\n', at - 1); at < text.size(); at = text.find('\n', at))
    if (++at < text.size() && begins_piece(text[at])) return at;
  return text.size();
}

std::uint64_t split_work(std::string_view text) {
  std::uint64_t work = 0;
  Scanner<true> scanner(text, 3, &work);
  for (std::size_t at = 0; at < text.size();) at = scanner.piece_end(at);
  return work;
}

}  // namespace herd::text
