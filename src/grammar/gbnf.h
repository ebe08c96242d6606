// GBNF, llama.cpp's grammar texts:
//   root ::= "yes" | "no" rest*      # the answer is the rule `root`
//   rest ::= [a-z]+ ("," ws number){1,3} .
// Literals and classes take \n \r \t \\ \" \] \[ \xHH \uHHHH \UHHHHHHHH. A rule ends at its line's end, except inside
// parentheses and after | or ::=.
#pragma once

#include <string_view>

#include "grammar/compiled.h"

namespace herd::grammar {

// Fails with invalid_grammar, naming line and reason, and as Compiled::build() does.
Result<Compiled> compile_gbnf(std::string_view text);

}  // namespace herd::grammar
