// How long a grammar takes to compile, and a mask to make, over a vocabulary:
//   grammar_bench TOKENIZER.json|tokenizer.model [SCHEMA.json|GRAMMAR.gbnf... | -]
// Without schemas, three that are common: a flat record, a nested list with free text, any JSON object. The answers are
// random walks; the first mask of each state pays for the walk over the vocabulary, which is why the median and the
// 99th percentile are printed apart.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "grammar/constraint.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "text/tokenizer.h"

namespace herd {
namespace {

// Time of this thread alone: what else the machine does is not counted.
struct Clock {
  using time_point = double;  // microseconds
  static time_point now() {
    std::timespec at{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return static_cast<double>(at.tv_sec) * 1e6 + static_cast<double>(at.tv_nsec) / 1e3;
  }
};

// As long as a server spends on masks when it compiles.
constexpr std::int64_t warm_ms = 50;

double microseconds_since(Clock::time_point start) { return Clock::now() - start; }

constexpr std::string_view record = R"({"type":"object","properties":{"name":{"type":"string"},
  "age":{"type":"integer","minimum":0,"maximum":150},"email":{"type":"string","format":"email"},
  "tags":{"type":"array","items":{"enum":["red","green","blue"]},"maxItems":5}},
  "required":["name","age","email","tags"],"additionalProperties":false})";
constexpr std::string_view nested = R"({"$defs":{"node":{"type":"object","properties":{
  "text":{"type":"string","maxLength":200},"score":{"type":"number"},
  "children":{"type":"array","items":{"$ref":"#/$defs/node"}}},
  "required":["text","score","children"],"additionalProperties":false}},"$ref":"#/$defs/node"})";
constexpr std::string_view anything = R"({"type":"object"})";

// A random allowed token; every fourth one is rather a quote or a bracket, so that strings end.
std::int32_t pick(std::span<const std::uint64_t> mask, std::uint64_t seed, std::uint64_t step,
                  std::span<const std::int32_t> closing) {
  if (step % 4 == 3)
    for (const std::int32_t token : closing)
      if (grammar::allows(mask, token)) return token;
  const std::size_t words = mask.size();
  auto at = static_cast<std::size_t>(uniform(seed, step) * static_cast<double>(words * 64));
  for (std::size_t i = 0; i < words * 64; ++i, at = (at + 1) % (words * 64))
    if ((mask[at / 64] >> (at % 64) & 1) != 0) return static_cast<std::int32_t>(at);
  return -1;
}

int measure(std::string_view name, std::string_view text, const grammar::TriePtr& trie,
            std::int32_t end, std::span<const std::int32_t> closing) {
  const bool is_schema = !name.ends_with(".gbnf");
  const auto parsed = parse_json(is_schema ? text : "{}");
  if (!parsed) return fmt::print(stderr, "{}\n", to_string(parsed.error())), 1;
  auto start = Clock::now();
  auto compiled = is_schema ? grammar::compile_json_schema(*parsed) : grammar::compile_gbnf(text);
  double compile_us = microseconds_since(start);
  if (!compiled) return fmt::print(stderr, "{}\n", to_string(compiled.error())), 1;
  const std::size_t states = compiled->size();
  // Shared by the answers below.
  const auto grammar = std::make_shared<const grammar::TokenGrammar>(
      std::make_shared<const grammar::Compiled>(*std::move(compiled)), trie);
  start = Clock::now();
  grammar->warm(warm_ms);
  compile_us += microseconds_since(start);
  start = Clock::now();
  const auto begins = grammar::TokenGrammar::check_first_mask(grammar);
  const double first_us = microseconds_since(start);
  if (!begins) fmt::print("{}\n", to_string(begins.error()));
  std::vector<double> times;
  std::uint64_t most_steps = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    grammar::Constraint constraint(grammar, {end});
    for (std::uint64_t step = 0; step < 400 && !constraint.is_done(); ++step) {
      start = Clock::now();
      const auto mask = constraint.mask();
      times.push_back(microseconds_since(start));
      most_steps = std::max(most_steps, constraint.steps());
      if (!constraint.accept(pick(mask, seed, step, closing))) break;
    }
  }
  std::ranges::sort(times);
  const auto part = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  fmt::print(
      "{:<10} {:>6} states, compiled in {:>8.0f} us; {:>5} masks: median {:>6.1f} us, "
      "90% {:>7.1f}, 99% {:>8.1f}, longest {:>8.1f}, {} steps; the first {:.0f} us\n",
      name, states, compile_us, times.size(), part(0.5), part(0.9), part(0.99), part(1), most_steps,
      first_us);
  return 0;
}

// For grammar_peer.py: {"schema": …, "documents": [[token, …], …]} a line of stdin, {"compile_us": …, "mask_us": […]}
// a line of stdout. Each line has a grammar of its own; its masks are made in front of every token of the documents.
int follow(const grammar::TriePtr& trie, std::int32_t end) {
  std::string line;
  for (int c = 0; (c = std::getchar()) != EOF;) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    const auto asked = parse_json(line);
    line.clear();
    if (!asked) return fmt::print(stderr, "{}\n", to_string(asked.error())), 1;
    auto start = Clock::now();
    auto compiled = grammar::compile_json_schema(asked->at("schema"));
    if (!compiled) return fmt::print(stderr, "{}\n", to_string(compiled.error())), 1;
    // Shared by the answers below.
    const auto grammar = std::make_shared<const grammar::TokenGrammar>(
        std::make_shared<const grammar::Compiled>(*std::move(compiled)), trie);
    grammar->warm(warm_ms);
    json::object out{{"compile_us", microseconds_since(start)}};
    json::array times;
    for (const json::value& document : asked->at("documents").get_array()) {
      grammar::Constraint constraint(grammar, {end});
      for (const json::value& token : document.get_array()) {
        start = Clock::now();
        (void)constraint.mask();
        times.emplace_back(microseconds_since(start));
        if (!constraint.accept(token.to_number<std::int32_t>()))
          return fmt::print(stderr, "token {} does not fit\n", json::serialize(token)), 1;
      }
    }
    out["mask_us"] = std::move(times);
    fmt::print("{}\n", json::serialize(out));
  }
  return 0;
}

int run(int argc, char** argv) {
  if (argc < 2) return fmt::print(stderr, "grammar_bench TOKENIZER [SCHEMA.json...]\n"), 2;
  const std::string path = argv[1];
  const auto file = read_file(path, 256u << 20);
  if (!file) return fmt::print(stderr, "{}\n", to_string(file.error())), 1;
  const auto tokenizer = path.ends_with(".json") ? text::Tokenizer::from_json(*file)
                                                 : text::Tokenizer::from_tiktoken(*file);
  if (!tokenizer) return fmt::print(stderr, "{}\n", to_string(tokenizer.error())), 1;
  std::vector<std::string> words;
  std::int32_t end = 0;
  for (std::int32_t id = 0; id < tokenizer->size(); ++id) {
    if (tokenizer->is_special(id)) end = id;
    words.emplace_back(tokenizer->is_special(id) ? "" : tokenizer->bytes_of(id));
  }
  std::vector<std::int32_t> closing;
  for (const std::string_view text : {"]", "}", "\""})
    closing.push_back(static_cast<std::int32_t>(std::ranges::find(words, text) - words.begin()));
  const auto start = Clock::now();
  // Shared by all grammars.
  const auto trie = std::make_shared<const grammar::TokenTrie>(words);
  if (argc == 3 && std::string_view(argv[2]) == "-") return follow(trie, end);
  fmt::print("{} tokens, {} nodes, made in {:.0f} ms\n", words.size(),
             trie->short_tokens().size() + trie->long_tokens().size(),
             microseconds_since(start) / 1000);
  if (argc == 2)
    return measure("record", record, trie, end, closing) |
           measure("nested", nested, trie, end, closing) |
           measure("anything", anything, trie, end, closing);
  for (int i = 2; i < argc; ++i) {
    const auto schema = read_file(argv[i], 1u << 20);
    if (!schema) return fmt::print(stderr, "{}\n", to_string(schema.error())), 1;
    if (const int status = measure(argv[i], *schema, trie, end, closing)) return status;
  }
  return 0;
}

}  // namespace
}  // namespace herd

int main(int argc, char** argv) { return herd::run(argc, argv); }
