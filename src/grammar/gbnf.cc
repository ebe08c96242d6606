#include "grammar/gbnf.h"

#include <algorithm>
#include <unordered_map>

#include "grammar/characters.h"
#include "grammar/limits.h"

namespace herd::grammar {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<Compiled> run() {
    if (text_.size() > limits::text_bytes_max)
      return fail(Code::schema_too_complex, "the grammar has {} bytes, at most {} are taken",
                  text_.size(), limits::text_bytes_max);
    for (space(true); more(); space(true)) HERD_TRY_VOID(rule());
    const auto root = rules_.find("root");
    if (root == rules_.end()) return refuse("no rule named root");
    return Compiled::build(grammar_, root->second);
  }

 private:
  [[nodiscard]] bool more() const { return at_ < text_.size(); }
  [[nodiscard]] char peek() const { return more() ? text_[at_] : '\0'; }
  bool eat(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  [[nodiscard]] std::unexpected<Error> refuse(std::string_view what,
                                              Code code = Code::invalid_grammar) const {
    const auto line = std::ranges::count(text_.substr(0, at_), '\n') + 1;
    return fail(code, "line {} of the grammar: {}", line, what);
  }

  void space(bool lines) {
    while (more()) {
      const char c = peek();
      if (c == '#') {
        while (more() && peek() != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || (lines && c == '\n')) {
        ++at_;
      } else {
        return;
      }
    }
  }

  static bool in_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  }

  std::string_view name() {
    const std::size_t start = at_;
    while (more() && in_name(peek())) ++at_;
    return text_.substr(start, at_ - start);
  }

  RuleId rule_named(std::string_view name) {
    const auto [at, fresh] = rules_.try_emplace(std::string(name), RuleId{0});
    if (fresh) at->second = grammar_.add_rule(std::string(name));
    return at->second;
  }

  Result<> rule() {
    const std::string_view own = name();
    if (own.empty()) return refuse("a rule's name was expected");
    space(false);
    if (!eat("::=")) return refuse(fmt::format("::= was expected after {}", shown(own)));
    space(true);
    const RuleId id = rule_named(own);
    if (grammar_.rules()[id].defined)
      return refuse(fmt::format("rule {} is defined twice", shown(own)));
    HERD_TRY(const NodeId body, alternatives(false));
    if (more() && peek() != '\n')
      return refuse(fmt::format("{} was not expected", shown({&text_[at_], 1})));
    grammar_.define(id, body);
    return {};
  }

  Result<NodeId> alternatives(bool nested) {
    if (++depth_ > limits::depth_max)
      return refuse(fmt::format("groups are nested more than {} deep", limits::depth_max),
                    Code::schema_too_complex);
    std::vector<NodeId> ways;
    do {
      space(true);
      HERD_TRY(const NodeId way, sequence(nested));
      ways.push_back(way);
    } while (eat("|"));
    --depth_;
    return grammar_.choice(std::move(ways));
  }

  Result<NodeId> sequence(bool nested) {
    std::vector<NodeId> parts;
    std::uint64_t stacked = 0;  // repetitions of the last part
    while (more()) {
      const char c = peek();
      const bool repeats = c == '*' || c == '+' || c == '?' || c == '{';
      stacked = repeats ? stacked + 1 : 0;
      if (c == '"') {
        HERD_TRY(const NodeId node, quoted());
        parts.push_back(node);
      } else if (c == '[') {
        HERD_TRY(const NodeId node, bracket());
        parts.push_back(node);
      } else if (c == '.') {
        ++at_;
        parts.push_back(characters(grammar_, CharSet::all(), Writing::plain));
      } else if (c == '(') {
        ++at_;
        HERD_TRY(const NodeId node, alternatives(true));
        if (!eat(")")) return refuse("a ( without its )");
        parts.push_back(node);
      } else if (in_name(c)) {
        // At a line's start it would be the next rule; lines are not skipped outside parentheses.
        parts.push_back(grammar_.call(rule_named(name())));
      } else if (repeats) {
        if (parts.empty()) return refuse("a repetition of nothing");
        if (stacked > limits::depth_max)
          return refuse(fmt::format("more than {} repetitions of one part", limits::depth_max),
                        Code::schema_too_complex);
        HERD_TRY(parts.back(), repeated(parts.back()));
      } else {
        break;
      }
      space(nested);
    }
    return grammar_.sequence(std::move(parts));
  }

  Result<NodeId> repeated(NodeId node) {
    if (eat("*")) return grammar_.repeat(node, 0, unlimited);
    if (eat("+")) return grammar_.repeat(node, 1, unlimited);
    if (eat("?")) return grammar_.repeat(node, 0, 1);
    ++at_;  // {
    space(false);
    std::uint32_t least = 0;
    if (peek() != ',') {
      HERD_TRY(least, count());
    }
    std::uint32_t most = least;
    space(false);
    if (eat(",")) {
      space(false);
      most = unlimited;
      if (peek() != '}') {
        HERD_TRY(most, count());
      }
    }
    space(false);
    if (!eat("}")) return refuse("a repetition without its }");
    if (most < least) return refuse("a repetition whose numbers are in the wrong order");
    return grammar_.repeat(node, least, most);
  }

  Result<std::uint32_t> count() {
    std::uint64_t value = 0;
    if (peek() < '0' || peek() > '9') return refuse("a repetition without a number");
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<std::uint64_t>(text_[at_++] - '0');
      if (value > limits::repeat_max)
        return refuse(fmt::format("more than {} repetitions", limits::repeat_max),
                      Code::schema_too_complex);
    }
    return static_cast<std::uint32_t>(value);
  }

  Result<char32_t> character() {
    char32_t c = 0;
    if (!eat("\\")) {
      if (!more() || peek() == '\n') return refuse("a literal or class without its end");
      if (!read_character(text_, at_, c)) return refuse("bytes that are not UTF-8");
      return c;
    }
    const char kind = peek();
    ++at_;
    switch (kind) {
      case 'n':
        return U'\n';
      case 'r':
        return U'\r';
      case 't':
        return U'\t';
      case 'x':
        return hex(2);
      case 'u':
        return hex(4);
      case 'U':
        return hex(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<char32_t>(kind);
      default:
        return refuse("an unknown escape");
    }
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
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
      return refuse("an escape that is no character");
    return value;
  }

  Result<NodeId> quoted() {
    ++at_;
    std::vector<NodeId> parts;
    while (!eat("\"")) {
      HERD_TRY(const char32_t c, character());
      CharSet set;
      set.add(c, c);
      parts.push_back(characters(grammar_, set, Writing::plain));
    }
    return grammar_.sequence(std::move(parts));
  }

  Result<NodeId> bracket() {
    ++at_;
    const bool inverted = eat("^");
    CharSet set;
    while (!eat("]")) {
      HERD_TRY(const char32_t lo, character());
      char32_t hi = lo;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        HERD_TRY(hi, character());
        if (hi < lo) return refuse("a range in brackets that ends before it starts");
      }
      set.add(lo, hi);
    }
    return characters(grammar_, inverted ? set.inverted() : set, Writing::plain);
  }

  Grammar grammar_;
  std::unordered_map<std::string, RuleId> rules_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::uint64_t depth_ = 0;
};

}  // namespace

Result<Compiled> compile_gbnf(std::string_view text) { return Reader(text).run(); }

}  // namespace herd::grammar
