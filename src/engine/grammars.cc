#include "engine/grammars.h"

#include <algorithm>
#include <utility>

#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/limits.h"
#include "grammar/regex.h"

namespace herd::engine {
namespace {

namespace limits = grammar::limits;

constexpr std::int64_t warm_ms = 50;

}  // namespace

Grammars::Grammars(const text::Tokenizer& tokenizer, std::int64_t vocabulary)
    : tokenizer_(tokenizer),
      vocabulary_(vocabulary),
      // Shared with the grammars, which may outlive this.
      masks_(std::make_shared<grammar::MaskBudget>(limits::masks_bytes_max)) {}

grammar::TriePtr Grammars::trie() {
  std::call_once(trie_made_, [&] {
    std::vector<std::string> words;
    const auto size = std::min<std::int64_t>(vocabulary_, tokenizer_.size());
    for (std::int32_t token = 0; token < size; ++token)
      words.emplace_back(tokenizer_.is_special(token) ? "" : tokenizer_.bytes_of(token));
    trie_ = std::make_shared<const grammar::TokenTrie>(words);  // shared by all grammars
  });
  return trie_;
}

template <typename Make>
Result<AnswerGrammarPtr> Grammars::get(std::string key, bool free_text, const Make& make) {
  if (key.size() > limits::text_bytes_max)
    return fail(Code::schema_too_complex, "the grammar has {} bytes, at most {} are taken",
                key.size(), limits::text_bytes_max);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) {
      ++counts_.found;
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->grammar;
    }
  }
  Made made;
  if (auto compiled = make(made.ignored)) {
    made.compiled = std::move(*compiled);
  } else {
    const std::lock_guard lock(mutex_);
    ++counts_.refused;
    return std::unexpected(std::move(compiled).error());
  }
  AnswerGrammar grammar;
  // Both shared by the answers that follow it.
  grammar.tokens = std::make_shared<const grammar::TokenGrammar>(
      std::make_shared<const grammar::Compiled>(std::move(made.compiled)), trie(), masks_);
  grammar.ignored = std::move(made.ignored);
  if (free_text)
    for (const std::string_view name : {"<|python_start|>", "<|python_end|>"})
      if (const auto token = tokenizer_.special(name); token && *token < vocabulary_)
        grammar.passing.push_back(*token);
  // What no answer could begin is said to who asked, not found out by the engine between its steps.
  if (auto begins = grammar::TokenGrammar::check_first_mask(grammar.tokens); !begins) {
    const std::lock_guard lock(mutex_);
    ++counts_.refused;
    return std::unexpected(std::move(begins).error());
  }
  // The first answer need not wait for what takes long.
  grammar.tokens->warm(warm_ms);
  // Shared with the answers, see AnswerGrammarPtr.
  auto shared = std::make_shared<const AnswerGrammar>(std::move(grammar));
  const std::lock_guard lock(mutex_);
  ++counts_.made;
  if (index_.contains(key)) return shared;  // somebody else made the same meanwhile
  bytes_ += key.size() + shared->tokens->compiled()->bytes();
  entries_.push_front({std::move(key), shared});
  index_.emplace(entries_.front().key, entries_.begin());
  while (entries_.size() > 1 &&
         (entries_.size() > limits::grammars_max || bytes_ > limits::grammars_bytes_max ||
          masks_->used() > limits::masks_bytes_max / 4 * 3))
    forget_oldest();
  return shared;
}

void Grammars::forget_oldest() {
  const Entry& oldest = entries_.back();
  bytes_ -= oldest.key.size() + oldest.grammar->tokens->compiled()->bytes();
  index_.erase(oldest.key);
  entries_.pop_back();
}

Result<AnswerGrammarPtr> Grammars::json_object() {
  return get("object", false, [](auto&) { return grammar::compile_json_object(); });
}

Result<AnswerGrammarPtr> Grammars::json_schema(const json::value& schema, bool strict) {
  return get((strict ? "strict " : "schema ") + json::serialize(schema), false,
             [&](std::vector<std::string>& ignored) {
               return grammar::compile_json_schema(schema, {.strict = strict}, &ignored);
             });
}

Result<AnswerGrammarPtr> Grammars::regex(std::string_view pattern) {
  return get("regex " + std::string(pattern), false,
             [&](auto&) { return grammar::compile_regex(pattern); });
}

Result<AnswerGrammarPtr> Grammars::gbnf(std::string_view text) {
  return get("gbnf " + std::string(text), false,
             [&](auto&) { return grammar::compile_gbnf(text); });
}

Result<AnswerGrammarPtr> Grammars::choice(std::span<const std::string> texts) {
  json::array list;
  for (const std::string& text : texts) list.emplace_back(text);
  return get("choice " + json::serialize(list), false, [&](auto&) -> Result<grammar::Compiled> {
    grammar::Grammar grammar;
    std::vector<grammar::NodeId> ways;
    for (const std::string& text : texts) ways.push_back(grammar.text(text));
    const grammar::RuleId root = grammar.add_rule("choice");
    grammar.define(root, grammar.choice(std::move(ways)));
    return grammar::Compiled::build(grammar, root);
  });
}

Result<AnswerGrammarPtr> Grammars::tool_calls(const grammar::ToolCalls& calls) {
  json::array tools;
  for (const grammar::Tool& tool : calls.tools)
    tools.push_back({{"name", tool.name},
                     {"schema", tool.schema},
                     {"strict", tool.strict},
                     {"place", tool.place}});
  std::string key =
      fmt::format("tools {} {} {}", calls.must, calls.several, json::serialize(tools));
  if (calls.document)
    key += fmt::format(" or {} {}", calls.document_strict, json::serialize(*calls.document));
  return get(std::move(key), !calls.must && !calls.document,
             [&](std::vector<std::string>& ignored) {
               return grammar::compile_tool_calls(calls, &ignored);
             });
}

Grammars::State Grammars::state() const {
  const std::lock_guard lock(mutex_);
  State state = counts_;
  state.grammars = entries_.size();
  state.bytes = bytes_ + masks_->used();
  return state;
}

}  // namespace herd::engine
