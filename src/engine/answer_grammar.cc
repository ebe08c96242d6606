#include "engine/answer_grammar.h"

#include <algorithm>

namespace herd::engine {

grammar::Constraint AnswerGrammar::begin(std::span<const std::int32_t> ends) const {
  std::vector<std::int32_t> known;
  for (const std::int32_t token : ends)
    if (token >= 0 && static_cast<std::size_t>(token) < tokens->trie().vocabulary())
      known.push_back(token);
  return {tokens, std::move(known), passing};
}

std::vector<std::int32_t> AnswerGrammar::forced(const grammar::Constraint& constraint,
                                                const text::Tokenizer& tokenizer,
                                                std::span<const std::int32_t> stops) const {
  const grammar::Forced forced = constraint.forced();
  if (forced.text.empty()) return {};
  std::vector<std::int32_t> out;
  const grammar::TokenTrie& trie = tokens->trie();
  std::string_view left = forced.text;
  for (const std::int32_t token : tokenizer.encode(forced.text, text::SpecialTokens::as_text)) {
    if (static_cast<std::size_t>(token) >= trie.vocabulary()) break;
    const std::string_view bytes = trie.bytes_of(token);
    if (bytes.empty() || std::ranges::find(stops, token) != stops.end()) break;
    // What follows is not known: a longer token may begin with all that is left.
    if (!forced.to_end && trie.begins_longer(left)) break;
    out.push_back(token);
    left.remove_prefix(bytes.size());
  }
  return out;
}

}  // namespace herd::engine
