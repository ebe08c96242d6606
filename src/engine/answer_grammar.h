// What an answer has to follow: a grammar over one model's tokens.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "grammar/constraint.h"
#include "text/tokenizer.h"

namespace herd::engine {

struct AnswerGrammar {
  grammar::TokenGrammarPtr tokens;
  std::vector<std::int32_t> passing{};  // control tokens that may stand in free text
  std::vector<std::string> ignored{};   // places of a schema that are not followed

  // The beginning of an answer. Tokens of `ends` may end it; those that the grammar does not know are left out.
  [[nodiscard]] grammar::Constraint begin(std::span<const std::int32_t> ends) const;

  // The tokens of the text that every answer goes on with from here, as the tokenizer writes it, up to where what
  // follows may become part of a longer token; none of `stops`. Follows from the constraint alone.
  [[nodiscard]] std::vector<std::int32_t> forced(const grammar::Constraint& constraint,
                                                 const text::Tokenizer& tokenizer,
                                                 std::span<const std::int32_t> stops) const;
};

// Shared by the answers that follow it and by who remembers it for the next request.
using AnswerGrammarPtr = std::shared_ptr<const AnswerGrammar>;

}  // namespace herd::engine
