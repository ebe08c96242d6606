// Grammars for the answers of one model, made from what requests say and remembered by their content. Making one takes
// up to a quarter of a second (grammar/limits.h), so it is done where a request is read and never by the engine.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "engine/answer_grammar.h"
#include "grammar/tool_calls.h"

namespace herd::engine {

class Grammars {
 public:
  // `tokenizer` must outlive it. `vocabulary`: tokens that the model can choose; those behind it are in no answer.
  Grammars(const text::Tokenizer& tokenizer, std::int64_t vocabulary);

  // What is not strict leaves out what it cannot follow: AnswerGrammar::ignored names it. All fail with invalid_schema,
  // invalid_grammar or schema_too_complex, naming the place. From any thread.
  Result<AnswerGrammarPtr> json_object();
  Result<AnswerGrammarPtr> json_schema(const json::value& schema, bool strict);
  Result<AnswerGrammarPtr> regex(std::string_view pattern);
  Result<AnswerGrammarPtr> gbnf(std::string_view text);
  // One of these texts; none is a choice of no text, which is refused.
  Result<AnswerGrammarPtr> choice(std::span<const std::string> texts);
  Result<AnswerGrammarPtr> tool_calls(const grammar::ToolCalls& calls);

  // For metrics. Bytes are of the grammars, of their keys, and of the masks remembered for them.
  struct State {
    std::size_t grammars = 0, bytes = 0;
    std::uint64_t found = 0, made = 0, refused = 0;
  };
  [[nodiscard]] State state() const;

 private:
  struct Made {
    grammar::Compiled compiled;
    std::vector<std::string> ignored;
  };
  // The grammar under this key, or the one that `make` gives.
  template <typename Make>
  Result<AnswerGrammarPtr> get(std::string key, bool free_text, const Make& make);
  [[nodiscard]] grammar::TriePtr trie();
  void forget_oldest();

  struct Entry {
    std::string key;
    AnswerGrammarPtr grammar;
  };
  const text::Tokenizer& tokenizer_;
  std::int64_t vocabulary_;
  std::once_flag trie_made_;
  grammar::TriePtr trie_;  // shared by all grammars
  grammar::MaskBudgetPtr masks_;
  mutable std::mutex mutex_;  // of what follows
  std::list<Entry> entries_;  // the one used last in front
  std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;  // keys lie in entries_
  std::size_t bytes_ = 0;
  State counts_;
};

}  // namespace herd::engine
