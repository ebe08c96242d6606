#include "grammar/json_rules.h"

namespace herd::grammar {
namespace {

constexpr std::uint32_t fraction_digits_max = 32;
constexpr std::uint32_t exponent_digits_max = 2;  // with 64 digits in front, no value passes 1e308

ByteSet hex_digits() {
  ByteSet set;
  set.add('0', '9');
  set.add('a', 'f');
  set.add('A', 'F');
  return set;
}

}  // namespace

NodeId JsonRules::shared(std::optional<RuleId>& rule, const char* name,
                         NodeId (JsonRules::*body)()) {
  if (!rule) {
    rule = grammar_.add_rule(name);
    grammar_.define(*rule, (this->*body)());
  }
  return grammar_.call(*rule);
}

NodeId JsonRules::space() {
  return style_.space_max == 0 || style_.fixed
             ? grammar_.empty()
             : shared(space_, "white space", &JsonRules::space_body);
}
NodeId JsonRules::comma() {
  if (style_.fixed) return grammar_.text(", ");
  return grammar_.sequence({grammar_.text(","), space()});
}
NodeId JsonRules::colon() {
  if (style_.fixed) return grammar_.text(": ");
  return grammar_.sequence({space(), grammar_.text(":"), space()});
}
NodeId JsonRules::string() { return shared(string_, "string", &JsonRules::string_body); }
NodeId JsonRules::number() { return shared(number_, "number", &JsonRules::number_body); }
NodeId JsonRules::integer() { return shared(integer_, "integer", &JsonRules::integer_body); }
NodeId JsonRules::value() { return shared(value_, "value", &JsonRules::value_body); }
NodeId JsonRules::object() { return shared(object_, "object", &JsonRules::object_body); }
NodeId JsonRules::array() { return shared(array_, "array", &JsonRules::array_body); }

NodeId JsonRules::space_body() {
  ByteSet set;
  for (const unsigned byte : {0x20u, 0x0Au, 0x0Du, 0x09u}) set.add(byte, byte);
  return grammar_.repeat(grammar_.bytes(set), 0, style_.space_max);
}

NodeId JsonRules::character() {
  Grammar& g = grammar_;
  CharSet special;
  special.add(0, 0x1F);
  special.add('"', '"');
  special.add('\\', '\\');
  const NodeId plain = characters(g, special.inverted(), Writing::plain);
  ByteSet letters;
  for (const char c : std::string_view("\"\\/bfnrt"))
    letters.add(static_cast<unsigned>(c), static_cast<unsigned>(c));
  const NodeId hex = g.bytes(hex_digits());
  ByteSet not_d = hex_digits();
  not_d.words[1] &= ~(1ull << ('d' & 63) | 1ull << ('D' & 63));
  ByteSet d;
  d.add('d', 'd');
  d.add('D', 'D');
  ByteSet high;  // d8 to db
  high.add('8', '9');
  high.add('a', 'b');
  high.add('A', 'B');
  ByteSet low;  // dc to df
  low.add('c', 'f');
  low.add('C', 'F');
  const NodeId unit = g.choice({g.sequence({g.bytes(not_d), hex, hex, hex}),
                                g.sequence({g.bytes(d), g.range('0', '7'), hex, hex})});
  const NodeId pair = g.sequence(
      {g.bytes(d), g.bytes(high), hex, hex, g.text("\\u"), g.bytes(d), g.bytes(low), hex, hex});
  return g.choice(
      {plain,
       g.sequence({g.text("\\"), g.choice({g.bytes(letters),
                                           g.sequence({g.text("u"), g.choice({unit, pair})})})})});
}

NodeId JsonRules::string_body() {
  return grammar_.sequence(
      {grammar_.text("\""), grammar_.repeat(character(), 0, unlimited), grammar_.text("\"")});
}

NodeId JsonRules::integer_body() {
  Grammar& g = grammar_;
  return g.sequence(
      {g.optional(g.text("-")),
       g.choice({g.text("0"),
                 g.sequence({g.range('1', '9'),
                             g.repeat(g.range('0', '9'), 0,
                                      static_cast<std::uint32_t>(limits::digits_max - 1))})})});
}

NodeId JsonRules::number_body() {
  Grammar& g = grammar_;
  const NodeId digit = g.range('0', '9');
  ByteSet sign;
  sign.add('+', '+');
  sign.add('-', '-');
  ByteSet e;
  e.add('e', 'e');
  e.add('E', 'E');
  return g.sequence({integer_body(),
                     g.optional(g.sequence({g.text("."), g.repeat(digit, 1, fraction_digits_max)})),
                     g.optional(g.sequence({g.bytes(e), g.optional(g.bytes(sign)),
                                            g.repeat(digit, 1, exponent_digits_max)}))});
}

NodeId JsonRules::value_body() {
  Grammar& g = grammar_;
  return g.choice(
      {object(), array(), string(), number(), g.text("true"), g.text("false"), g.text("null")});
}

NodeId JsonRules::list(NodeId element, const char* open, const char* close) {
  Grammar& g = grammar_;
  const NodeId more = g.repeat(g.sequence({comma(), element, space()}), 0, unlimited);
  return g.sequence(
      {g.text(open), space(), g.optional(g.sequence({element, space(), more})), g.text(close)});
}

NodeId JsonRules::object_body() {
  Grammar& g = grammar_;
  return list(g.sequence({string(), colon(), value()}), "{", "}");
}

NodeId JsonRules::array_body() { return list(value(), "[", "]"); }

}  // namespace herd::grammar
