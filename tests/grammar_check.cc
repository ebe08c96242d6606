// Schemas and texts against the compiler of src/grammar, for the scripts that judge it from outside
// (tools/reference/check_grammar.py, tools/schema_suite.py). One JSON object a line on stdin, one on stdout:
//   {"schema": …, "texts": ["…"]}            -> {"accepts": [true]}
//   {"schema": …, "walks": 3, "seed": 1}     -> {"texts": ["…"]}      written under random logits, whole ones only
//   a schema that is refused                 -> {"code": "invalid_schema", "error": "…"}
// With an argument that is a tokenizer's file, walks take its tokens; else single bytes and a few words of JSON.
#include <fmt/format.h>

#include <cstdio>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "grammar/constraint.h"
#include "grammar/json_schema.h"
#include "text/tokenizer.h"

namespace herd::grammar {
namespace {

constexpr std::uint64_t tokens_max = 400;

std::vector<std::string> plain_vocabulary() {
  std::vector<std::string> out;
  for (int byte = 0; byte < 256; ++byte) out.emplace_back(1, static_cast<char>(byte));
  for (const char* word : {"\":", "\",", "{\"", "\"}", "]}", "true", "null", "12", "-1", "0.5",
                           "ab", "\\n", "\xC3\xA9", "\": ", "[]", "{}"})
    out.emplace_back(word);
  out.emplace_back();  // the end
  return out;
}

Result<std::vector<std::string>> vocabulary_of(const char* path) {
  HERD_TRY(const text::Tokenizer tokenizer, text::Tokenizer::from_file(path));
  std::vector<std::string> out;
  for (std::int32_t id = 0; id < tokenizer.size(); ++id)
    out.emplace_back(tokenizer.is_special(id) ? "" : tokenizer.bytes_of(id));
  out.emplace_back();
  return out;
}

// A random allowed token; what closes brackets and quotes comes more often, so that texts end.
std::int32_t pick(std::span<const std::uint64_t> mask, const TokenTrie& trie, std::uint64_t seed,
                  std::uint64_t step) {
  const auto end = static_cast<std::int32_t>(trie.vocabulary()) - 1;
  const double kind = uniform(seed, 2 * step);
  if (allows(mask, end) && kind < 0.6) return end;
  if (kind < 0.3)
    for (const char c : {'}', ']', '"'})
      if (allows(mask, static_cast<unsigned char>(c)) &&
          trie.bytes_of(static_cast<unsigned char>(c)) == std::string_view(&c, 1))
        return static_cast<unsigned char>(c);
  auto at = static_cast<std::int32_t>(uniform(seed, 2 * step + 1) *
                                      static_cast<double>(trie.vocabulary()));
  for (std::size_t i = 0; i < trie.vocabulary(); ++i, at = at == end ? 0 : at + 1)
    if (allows(mask, at)) return at;
  return -1;
}

json::object answer(const json::object& asked, const TriePtr& trie) {
  auto made = compile_json_schema(asked.at("schema"));
  if (!made) return {{"code", row_of(made.error().code).name}, {"error", made.error().message}};
  // Shared by the matchers below.
  const auto compiled = std::make_shared<const Compiled>(std::move(*made));
  json::object out;
  if (const json::value* texts = asked.if_contains("texts")) {
    json::array accepts;
    for (const json::value& text : texts->get_array()) {
      Matcher matcher(compiled);
      accepts.push_back(matcher.accept(text.get_string()) && matcher.can_end());
    }
    out["accepts"] = std::move(accepts);
  }
  if (const json::value* walks = asked.if_contains("walks")) {
    const auto grammar = std::make_shared<const TokenGrammar>(compiled, trie);  // shared, as above
    const auto seed = asked.at("seed").to_number<std::uint64_t>();
    json::array texts;
    std::size_t dead_ends = 0;
    for (std::uint64_t walk = 0; walk < walks->to_number<std::uint64_t>(); ++walk) {
      Constraint constraint(grammar, {static_cast<std::int32_t>(trie->vocabulary()) - 1});
      std::string text;
      for (std::uint64_t step = 0; step < tokens_max && !constraint.is_done(); ++step) {
        const std::int32_t token = pick(constraint.mask(), *trie, seed * 1000 + walk, step);
        if (!constraint.accept(token)) {
          ++dead_ends;
          break;
        }
        text += trie->bytes_of(token);
      }
      if (constraint.is_done()) texts.emplace_back(text);
    }
    out["texts"] = std::move(texts);
    out["dead_ends"] = dead_ends;
  }
  return out;
}

int run(int argc, char** argv) {
  std::vector<std::string> words = plain_vocabulary();
  if (argc > 1) {
    auto read = vocabulary_of(argv[1]);
    if (!read) return fmt::print(stderr, "{}\n", to_string(read.error())), 1;
    words = std::move(*read);
  }
  const auto trie = std::make_shared<const TokenTrie>(words);  // shared by all grammars
  std::string line;
  for (int c = 0; (c = std::getchar()) != EOF;) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    const auto asked = parse_json(line);
    if (!asked || !asked->is_object()) return fmt::print(stderr, "no object: {}\n", line), 1;
    fmt::print("{}\n", json::serialize(answer(asked->get_object(), trie)));
    line.clear();
  }
  return 0;
}

}  // namespace
}  // namespace herd::grammar

int main(int argc, char** argv) { return herd::grammar::run(argc, argv); }
