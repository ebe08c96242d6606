#include "grammar/regex.h"

#include <optional>

#include "grammar/limits.h"

namespace herd::grammar {
namespace {

CharSet one(char32_t c) {
  CharSet set;
  set.add(c, c);
  return set;
}

// What \s means in ECMA 262: white space and line terminators.
CharSet spaces() {
  CharSet set;
  set.add('\t', '\r');
  for (const char32_t c : {U' ', U'\u00A0', U'\u1680', U'\u2028', U'\u2029', U'\u202F', U'\u205F',
                           U'\u3000', U'\uFEFF'})
    set.add(c, c);
  set.add(0x2000, 0x200A);
  return set;
}

std::optional<CharSet> class_of(char32_t letter) {
  CharSet set;
  switch (letter | 0x20) {
    case 'd':
      set.add('0', '9');
      break;
    case 'w':
      set.add('0', '9');
      set.add('A', 'Z');
      set.add('a', 'z');
      set.add('_', '_');
      break;
    case 's':
      set = spaces();
      break;
    default:
      return std::nullopt;
  }
  return letter < 'a' ? set.inverted() : set;
}

class Reader {
 public:
  Reader(Grammar& grammar, std::string_view pattern, Writing writing, bool whole)
      : grammar_(grammar), text_(pattern), writing_(writing), whole_(whole) {}

  Result<NodeId> run() {
    if (text_.size() > limits::text_bytes_max)
      return fail(Code::schema_too_complex, "the pattern has {} bytes, at most {} are taken",
                  text_.size(), limits::text_bytes_max);
    HERD_TRY(const NodeId node, alternatives(true));
    if (at_ < text_.size()) return refuse("a ) without its (");
    return node;
  }

 private:
  [[nodiscard]] bool more() const { return at_ < text_.size(); }
  [[nodiscard]] char peek() const { return more() ? text_[at_] : '\0'; }
  bool eat(char c) {
    if (!more() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] std::unexpected<Error> refuse(std::string_view what,
                                              Code code = Code::invalid_grammar) const {
    return fail(code, "the pattern {} has {} at byte {}, which is not supported", shown(text_),
                what, at_);
  }

  // Alternatives of the pattern itself (`outer`), or of a group that is all of one of them, may be anchored.
  Result<NodeId> alternatives(bool outer) {
    if (++depth_ > limits::depth_max)
      return refuse("groups nested too deeply", Code::schema_too_complex);
    std::vector<NodeId> ways;
    do {
      HERD_TRY(const NodeId way, sequence(outer));
      ways.push_back(way);
    } while (eat('|'));
    --depth_;
    return grammar_.choice(std::move(ways));
  }

  Result<NodeId> sequence(bool outer) {
    std::vector<NodeId> parts;
    bool from_start = whole_;
    bool to_end = whole_;
    if (outer)
      while (eat('^')) from_start = true;
    while (more() && peek() != '|' && peek() != ')') {
      if (outer && peek() == '$') {
        ++at_;
        to_end = true;
        if (more() && peek() != '|' && peek() != ')' && peek() != '$')
          return refuse("text after $");
        continue;
      }
      HERD_TRY(const NodeId part, repeated());
      parts.push_back(part);
    }
    if (outer) {
      const NodeId any =
          grammar_.repeat(characters(grammar_, CharSet::all(), writing_), 0, unlimited);
      if (!from_start) parts.insert(parts.begin(), any);
      if (!to_end) parts.push_back(any);
    }
    return grammar_.sequence(std::move(parts));
  }

  Result<NodeId> repeated() {
    HERD_TRY(NodeId node, atom());
    while (more()) {
      std::uint32_t least = 0;
      std::uint32_t most = unlimited;
      if (eat('*')) {
      } else if (eat('+')) {
        least = 1;
      } else if (eat('?')) {
        most = 1;
      } else if (peek() == '{' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])) {
        ++at_;
        HERD_TRY(least, count());
        most = least;
        if (eat(',')) {
          most = unlimited;
          if (peek() != '}') {
            HERD_TRY(most, count());
          }
        }
        if (!eat('}')) return refuse("a repetition without its }");
        if (most < least) return refuse("a repetition whose numbers are in the wrong order");
      } else {
        break;
      }
      eat('?');  // lazy: the same texts
      if (++repeats_ > limits::depth_max * 64)
        return refuse("too many repetitions", Code::schema_too_complex);
      node = grammar_.repeat(node, least, most);
    }
    return node;
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  Result<std::uint32_t> count() {
    if (!is_digit(peek())) return refuse("a repetition without a number");
    std::uint64_t value = 0;
    while (is_digit(peek())) {
      value = value * 10 + static_cast<std::uint64_t>(text_[at_++] - '0');
      if (value > limits::repeat_max)
        return fail(Code::schema_too_complex,
                    "the pattern {} repeats something {} times, at most {}", shown(text_), value,
                    limits::repeat_max);
    }
    return static_cast<std::uint32_t>(value);
  }

  Result<NodeId> atom() {
    if (eat('(')) return group();
    if (eat('[')) return bracket();
    if (eat('.')) {
      CharSet lines = one('\n');
      lines.add('\r', '\r');
      lines.add(0x2028, 0x2029);
      return characters(grammar_, lines.inverted(), writing_);
    }
    if (peek() == '*' || peek() == '+' || peek() == '?') return refuse("a repetition of nothing");
    if (peek() == '^' || peek() == '$') return refuse("an anchor inside");
    CharSet set;
    if (eat('\\')) {
      HERD_TRY(set, escape(false));
    } else {
      HERD_TRY(const char32_t c, character());
      set = one(c);
    }
    return characters(grammar_, set, writing_);
  }

  Result<char32_t> character() {
    char32_t c = 0;
    if (!read_character(text_, at_, c)) return refuse("bytes that are not UTF-8");
    return c;
  }

  Result<NodeId> group() {
    if (eat('?')) {
      if (eat('<') && peek() != '=' && peek() != '!') {
        while (more() && peek() != '>') ++at_;
        if (!eat('>')) return refuse("a group's name without its >");
      } else if (!eat(':')) {
        return refuse("look-around or a flag");
      }
    }
    HERD_TRY(const NodeId node, alternatives(false));
    if (!eat(')')) return refuse("a ( without its )");
    return node;
  }

  Result<char32_t> hex(std::size_t digits) {
    char32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      constexpr std::string_view all = "0123456789abcdef";
      const char c = peek();
      const auto digit = all.find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
      if (!more() || digit == std::string_view::npos) return refuse("a wrong hexadecimal escape");
      value = value * 16 + static_cast<char32_t>(digit);
      ++at_;
    }
    return value;
  }

  // After a backslash.
  Result<CharSet> escape(bool in_brackets) {
    if (!more()) return refuse("a backslash at the end");
    const char c = text_[at_];
    if (const auto known = class_of(static_cast<unsigned char>(c))) {
      ++at_;
      return *known;
    }
    if (in_brackets && c == 'b') {
      ++at_;
      return one('\b');
    }
    if (c == 'b' || c == 'B') return refuse("a word boundary");
    if (c == 'p' || c == 'P') return refuse("a Unicode property");
    if (c == 'k' || (c >= '1' && c <= '9')) return refuse("a back-reference");
    ++at_;
    switch (c) {
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 't':
        return one('\t');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case '0':
        return one(0);
      case 'c': {
        const char letter = peek();
        if ((letter | 0x20) < 'a' || (letter | 0x20) > 'z') return refuse("a wrong control escape");
        ++at_;
        return one(static_cast<char32_t>(letter & 31));
      }
      case 'x': {
        HERD_TRY(const char32_t value, hex(2));
        return one(value);
      }
      case 'u':
        return unicode();
      default:
        break;
    }
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') {
      --at_;
      return refuse("an unknown escape");
    }
    --at_;
    HERD_TRY(const char32_t same, character());
    return one(same);
  }

  Result<CharSet> unicode() {
    if (eat('{')) {
      std::size_t digits = 0;
      while (at_ + digits < text_.size() && text_[at_ + digits] != '}') ++digits;
      if (digits == 0 || digits > 6) return refuse("a wrong Unicode escape");
      HERD_TRY(const char32_t value, hex(digits));
      if (!eat('}') || value > 0x10FFFF) return refuse("a wrong Unicode escape");
      return one(value);
    }
    HERD_TRY(char32_t value, hex(4));
    if (value >= 0xD800 && value < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      HERD_TRY(const char32_t low, hex(4));
      if (low < 0xDC00 || low > 0xDFFF) return refuse("half a surrogate pair");
      value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
    }
    return one(value);
  }

  Result<NodeId> bracket() {
    const bool inverted = eat('^');
    CharSet set;
    while (peek() != ']') {
      if (!more()) return refuse("a [ without its ]");
      HERD_TRY(const CharSet first, bracket_item());
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        HERD_TRY(const CharSet last, bracket_item());
        const auto lo = first.ranges();
        const auto hi = last.ranges();
        if (lo.size() != 1 || hi.size() != 1 || lo[0].lo != lo[0].hi || hi[0].lo != hi[0].hi ||
            lo[0].lo > hi[0].lo)
          return refuse("a wrong range in brackets");
        set.add(lo[0].lo, hi[0].lo);
      } else {
        set.add(first);
      }
    }
    ++at_;
    return characters(grammar_, inverted ? set.inverted() : set, writing_);
  }

  Result<CharSet> bracket_item() {
    if (eat('\\')) return escape(true);
    HERD_TRY(const char32_t c, character());
    return one(c);
  }

  Grammar& grammar_;
  std::string_view text_;
  Writing writing_;
  bool whole_;
  std::size_t at_ = 0;
  std::uint64_t depth_ = 0;
  std::uint64_t repeats_ = 0;
};

}  // namespace

Result<NodeId> read_regex(Grammar& grammar, std::string_view pattern, Writing writing, bool whole) {
  return Reader(grammar, pattern, writing, whole).run();
}

Result<Compiled> compile_regex(std::string_view pattern) {
  Grammar grammar;
  const RuleId root = grammar.add_rule("regex");
  HERD_TRY(const NodeId node, read_regex(grammar, pattern, Writing::plain, true));
  grammar.define(root, node);
  return Compiled::build(grammar, root);
}

}  // namespace herd::grammar
