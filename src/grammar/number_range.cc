#include "grammar/number_range.h"

#include "grammar/limits.h"

namespace herd::grammar {
namespace {

constexpr std::uint32_t fraction_digits_max = 32;

// Numbers without a sign. The parts of a number's text are regular and small, so "at least" and "at most" are made
// separately and intersected.
class Magnitudes {
 public:
  Magnitudes(Grammar& grammar, bool integer) : g_(grammar), integer_(integer) {}

  NodeId any() { return g_.sequence({whole(1, limits::digits_max), any_fraction()}); }

  NodeId at_least(const Bound& bound) {
    const std::string& whole_part = bound.whole;
    std::vector<NodeId> ways;
    if (whole_part.size() < limits::digits_max)
      ways.push_back(
          g_.sequence({whole(whole_part.size() + 1, limits::digits_max), any_fraction()}));
    for (std::size_t i = 0; i < whole_part.size(); ++i)
      if (whole_part[i] < '9')
        ways.push_back(
            g_.sequence({g_.text(whole_part.substr(0, i)), digits(whole_part[i] + 1, '9'),
                         rest(whole_part, i), any_fraction()}));
    ways.push_back(g_.sequence({g_.text(whole_part), fraction_at_least(bound)}));
    return g_.choice(std::move(ways));
  }

  NodeId at_most(const Bound& bound) {
    const std::string& whole_part = bound.whole;
    std::vector<NodeId> ways;
    if (whole_part.size() > 1)
      ways.push_back(g_.sequence({whole(1, whole_part.size() - 1), any_fraction()}));
    for (std::size_t i = 0; i < whole_part.size(); ++i) {
      const char first = i == 0 && whole_part.size() > 1 ? '1' : '0';
      if (whole_part[i] > first)
        ways.push_back(
            g_.sequence({g_.text(whole_part.substr(0, i)), digits(first, whole_part[i] - 1),
                         rest(whole_part, i), any_fraction()}));
    }
    ways.push_back(g_.sequence({g_.text(whole_part), fraction_at_most(bound)}));
    return g_.choice(std::move(ways));
  }

 private:
  NodeId digits(int lo, int hi) {
    return g_.range(static_cast<unsigned>(lo), static_cast<unsigned>(hi));
  }
  NodeId any_digits(std::uint32_t least = 0) {
    return g_.repeat(digits('0', '9'), least, fraction_digits_max);
  }
  NodeId rest(const std::string& text, std::size_t i) {
    const auto count = static_cast<std::uint32_t>(text.size() - i - 1);
    return g_.repeat(digits('0', '9'), count, count);
  }
  NodeId zeros(std::uint32_t least) { return g_.repeat(g_.text("0"), least, fraction_digits_max); }

  // Whole parts of so many digits, without leading zeros.
  NodeId whole(std::size_t least, std::size_t most) {
    std::vector<NodeId> ways;
    if (least <= 1) ways.push_back(g_.text("0"));
    ways.push_back(g_.sequence(
        {digits('1', '9'), g_.repeat(digits('0', '9'), static_cast<std::uint32_t>(least - 1),
                                     static_cast<std::uint32_t>(most - 1))}));
    return g_.choice(std::move(ways));
  }

  NodeId any_fraction() {
    return integer_ ? g_.empty() : g_.optional(g_.sequence({g_.text("."), any_digits(1)}));
  }

  // After a whole part that equals the bound's.
  NodeId fraction_at_least(const Bound& bound) {
    const std::string& f = bound.fraction;
    if (f.empty() && bound.inclusive) return any_fraction();
    if (integer_) return g_.never();
    std::vector<NodeId> ways;
    for (std::size_t i = 0; i < f.size(); ++i)
      if (f[i] < '9')
        ways.push_back(g_.sequence({g_.text(f.substr(0, i)), digits(f[i] + 1, '9'), any_digits()}));
    const NodeId more = g_.sequence({zeros(0), digits('1', '9'), any_digits()});
    ways.push_back(g_.sequence({g_.text(f), bound.inclusive ? any_digits() : more}));
    return g_.sequence({g_.text("."), g_.choice(std::move(ways))});
  }

  NodeId fraction_at_most(const Bound& bound) {
    const std::string& f = bound.fraction;
    if (integer_) return f.empty() && !bound.inclusive ? g_.never() : g_.empty();
    if (f.empty())
      return bound.inclusive ? g_.optional(g_.sequence({g_.text("."), zeros(1)})) : g_.never();
    std::vector<NodeId> ways;
    for (std::size_t i = 0; i < f.size(); ++i) {
      if (i > 0) ways.push_back(g_.text(f.substr(0, i)));
      if (f[i] > '0')
        ways.push_back(g_.sequence({g_.text(f.substr(0, i)), digits('0', f[i] - 1), any_digits()}));
    }
    if (bound.inclusive) ways.push_back(g_.sequence({g_.text(f), zeros(0)}));
    return g_.optional(g_.sequence({g_.text("."), g_.choice(std::move(ways))}));
  }

  Grammar& g_;
  bool integer_;
};

// Digits whose number is a multiple: one state per remainder, and one for the start.
Automaton multiples(std::uint32_t of) {
  Automaton out;
  out.states.resize(of + 1);
  for (std::uint32_t state = 0; state <= of; ++state) {
    const std::uint32_t remainder = state == 0 ? 0 : state - 1;
    out.states[state].accepts = state == 1;
    for (std::uint32_t digit = 0; digit < 10; ++digit) {
      const auto byte = static_cast<std::uint8_t>('0' + digit);
      out.states[state].edges.push_back({byte, byte, (remainder * 10 + digit) % of + 1});
    }
  }
  return out;
}

Result<NodeId> magnitude(Grammar& grammar, const NumberRange& range, const Bound* least,
                         const Bound* most, std::uint64_t& steps) {
  Grammar parts;
  Magnitudes numbers(parts, range.integer);
  HERD_TRY(Automaton all, regular(parts, least ? numbers.at_least(*least) : numbers.any(), steps));
  if (most) {
    HERD_TRY(const Automaton other, regular(parts, numbers.at_most(*most), steps));
    HERD_TRY(all, intersection(all, other, steps));
  }
  if (range.multiple_of > 1) {
    HERD_TRY(all, intersection(all, multiples(range.multiple_of), steps));
  }
  return grammar.automaton(std::move(all));
}

}  // namespace

Bound Bound::of(std::string_view text, bool inclusive) {
  Bound out;
  out.inclusive = inclusive;
  out.negative = text.starts_with('-');
  if (out.negative) text.remove_prefix(1);
  const auto point = text.find('.');
  std::string_view whole = text.substr(0, point);
  while (whole.size() > 1 && whole[0] == '0') whole.remove_prefix(1);
  out.whole = whole;
  if (point != std::string_view::npos) out.fraction = text.substr(point + 1);
  while (out.fraction.ends_with('0')) out.fraction.pop_back();
  if (out.whole == "0" && out.fraction.empty()) out.negative = false;
  return out;
}

Result<NodeId> number_in(Grammar& grammar, const NumberRange& range, std::uint64_t& steps) {
  for (const auto& bound : {range.least, range.most})
    if (bound &&
        (bound->whole.size() > limits::digits_max || bound->fraction.size() > fraction_digits_max))
      return fail(Code::schema_too_complex, "a bound has more than {} digits", limits::digits_max);
  const Bound* least = range.least ? &*range.least : nullptr;
  const Bound* most = range.most ? &*range.most : nullptr;
  NodeId positive = grammar.never();
  if (!most || !most->negative) {
    HERD_TRY(positive,
             magnitude(grammar, range, least && !least->negative ? least : nullptr, most, steps));
  }
  // "-0" is zero, and so is "-0.0": the bounds decide.
  NodeId negative = grammar.never();
  const bool zero_is_most = least && !least->negative && least->whole == "0" &&
                            least->fraction.empty() && least->inclusive;
  if (!least || least->negative || zero_is_most) {
    HERD_TRY(negative,
             magnitude(grammar, range, most && most->negative ? most : nullptr, least, steps));
    if (most && !most->negative && most->whole == "0" && most->fraction.empty() &&
        !most->inclusive) {
      const Bound zero{.negative = false, .whole = "0", .fraction = "", .inclusive = false};
      HERD_TRY(negative, magnitude(grammar, range, &zero, least, steps));
    }
  }
  return grammar.choice({positive, grammar.sequence({grammar.text("-"), negative})});
}

}  // namespace herd::grammar
