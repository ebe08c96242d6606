// What form an answer on the command line has to have: --schema, --regex or --grammar.
#pragma once

#include <string>

#include "base/options.h"
#include "engine/bundle.h"
#include "engine/grammars.h"

namespace herd::cli {

struct FormArguments {
  std::string schema;
  std::string regex;
  std::string grammar;

  static constexpr auto fields() {
    using O = FormArguments;
    return option_list(
        option("schema", &O::schema,
               "a file with a JSON Schema; the answer is JSON that is valid "
               "by it"),
        option("regex", &O::regex, "a regular expression that the whole answer matches"),
        option("grammar", &O::grammar, "a file with a grammar in GBNF that the answer follows"));
  }
};

// The grammar that was asked for, or none. Fails with usage when there are several, with the errors of the file, and
// with invalid_schema, invalid_grammar or schema_too_complex.
Result<engine::AnswerGrammarPtr> read_form(const FormArguments& form, const engine::Bundle& bundle);

}  // namespace herd::cli
