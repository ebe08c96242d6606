// Regular expressions, the part of ECMA 262 that a finite automaton can follow:
//   literals  .  [a-z] [^a-z]  \d \D \w \W \s \S  \n \r \t \f \v \0 \xHH \uHHHH \u{H...} \cX  escaped punctuation
//   (...) (?:...) (?<name>...)  |  * + ? {m} {m,} {m,n}  (lazy forms mean the same)  ^ and $ at the ends of the pattern
// Refused by name: look-around, back-references, word boundaries, Unicode properties, anchors elsewhere, flags.
#pragma once

#include <string_view>

#include "grammar/characters.h"
#include "grammar/compiled.h"

namespace herd::grammar {

// A node that reads the texts that the pattern matches: from start to end when `whole`, else anywhere in them unless
// anchored (JSON Schema's `pattern`). Fails with invalid_grammar, naming the place, for what is refused, and when
// the pattern is longer or deeper than the limits.
Result<NodeId> read_regex(Grammar& grammar, std::string_view pattern, Writing writing, bool whole);

// The whole answer matches.
Result<Compiled> compile_regex(std::string_view pattern);

}  // namespace herd::grammar
