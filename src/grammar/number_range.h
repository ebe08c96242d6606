// Numbers between two bounds, as texts: digits are compared from the left, which a finite automaton can do.
#pragma once

#include <optional>
#include <string>

#include "grammar/grammar.h"

namespace herd::grammar {

// One end of a range: a sign, the digits before the point without leading zeros ("0" for none), the digits after it
// without trailing zeros.
struct Bound {
  bool negative = false;
  std::string whole = "0";
  std::string fraction;
  bool inclusive = true;

  // From a number's text, without exponent: "-12.50".
  static Bound of(std::string_view text, bool inclusive);
};

struct NumberRange {
  std::optional<Bound> least;
  std::optional<Bound> most;
  bool integer = false;
  std::uint32_t multiple_of = 0;  // 0: any; needs `integer`
};

// A node that reads the numbers of the range, written without exponent. Fails with schema_too_complex past a limit.
Result<NodeId> number_in(Grammar& grammar, const NumberRange& range, std::uint64_t& steps);

}  // namespace herd::grammar
