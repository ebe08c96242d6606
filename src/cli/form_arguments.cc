#include "cli/form_arguments.h"

#include "base/file.h"
#include "base/json.h"
#include "grammar/limits.h"

namespace herd::cli {

Result<engine::AnswerGrammarPtr> read_form(const FormArguments& form,
                                           const engine::Bundle& bundle) {
  const int count =
      int{!form.schema.empty()} + int{!form.regex.empty()} + int{!form.grammar.empty()};
  if (count > 1) return fail(Code::usage, "--schema, --regex and --grammar exclude each other");
  if (count == 0) return engine::AnswerGrammarPtr();
  engine::Grammars grammars(bundle.tokenizer, bundle.config.text.vocabulary);
  if (!form.regex.empty()) return grammars.regex(form.regex);
  const std::string& path = form.schema.empty() ? form.grammar : form.schema;
  HERD_TRY(const std::string text, read_file(path, grammar::limits::text_bytes_max));
  const auto make = [&]() -> Result<engine::AnswerGrammarPtr> {
    if (form.schema.empty()) return grammars.gbnf(text);
    HERD_TRY(const json::value schema, parse_json(text));
    return grammars.json_schema(schema, true);
  };
  auto made = make();
  if (!made) return std::unexpected(std::move(made).error().in(path));
  return made;
}

}  // namespace herd::cli
