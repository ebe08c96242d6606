// What must hold for every grammar that compiles; shared by the grammar targets. Breaking it aborts.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "grammar/constraint.h"
#include "grammar/limits.h"

namespace herd::fuzz {

// Writes a text of the grammar, byte by byte at random: there is always a way on or an end, unless a limit on readings
// is passed. Gives the text where it came to an end within `steps` bytes, and nothing else.
inline std::optional<std::string> walk(const grammar::CompiledPtr& compiled, std::uint64_t seed,
                                       std::size_t steps) {
  grammar::Matcher matcher(compiled);
  std::string text;
  grammar::Heads next;
  for (std::size_t i = 0; i < steps; ++i) {
    if (matcher.must_end()) break;
    const auto draw = [&](std::uint64_t n) { return uniform(seed, 2 * i + n); };
    if (matcher.can_end() && draw(0) < 0.2) break;
    const auto first = static_cast<unsigned>(draw(1) * 256);
    bool on = false;
    bool possible = false;
    for (unsigned k = 0; k < 256 && !on; ++k) {
      const char c = static_cast<char>((first + k) & 0xff);
      grammar::step(*compiled, matcher.expanded(), static_cast<std::uint8_t>(c), next);
      possible = possible || !next.empty();
      on = matcher.accept({&c, 1});
      if (on) text += c;
    }
    if (on) continue;
    HERD_CHECK(matcher.can_end() || possible, "no way on behind {} bytes", text.size());
    if (!matcher.can_end()) return std::nullopt;  // a limit on readings
    break;
  }
  if (!matcher.can_end()) return std::nullopt;
  // What was written byte by byte is read as a whole.
  grammar::Matcher again(compiled);
  HERD_CHECK(again.accept(text) && again.can_end());
  const std::string forced = grammar::Matcher(compiled).forced().text;
  HERD_CHECK(text.starts_with(forced), "every text begins with what is forced");
  return text;
}

// A small vocabulary: every byte, and words that run over the edges of rules.
inline const grammar::TriePtr& words() {
  static const grammar::TriePtr trie = [] {
    std::vector<std::string> out;
    for (int byte = 0; byte < 256; ++byte) out.emplace_back(1, static_cast<char>(byte));
    for (const char* word :
         {"aa", "aaaa", "ab", "ba", "abc", "\":", "{\"", "\"}", "\",", "[[", "]]", "12", "null",
          "\xC3\xA9", "  ", "the ", "}}", "\\u00", "an ordinary string of many bytes"})
      out.emplace_back(word);
    return std::make_shared<const grammar::TokenTrie>(out);  // shared by all grammars
  }();
  return trie;
}

// Writes tokens of the masks at random. What a mask allows is taken, or refused and nothing has changed; a mask is
// empty only where a limit is passed or the text is at its end.
inline void write_tokens(const grammar::CompiledPtr& compiled, std::uint64_t seed,
                         std::size_t steps) {
  // Shared with the constraint.
  const auto grammar = std::make_shared<const grammar::TokenGrammar>(compiled, words());
  (void)grammar::TokenGrammar::check_first_mask(grammar);
  grammar::Constraint constraint(grammar, {});
  bool refused = false;
  for (std::size_t i = 0; i < steps && !constraint.is_done(); ++i) {
    const auto mask = constraint.mask();
    std::vector<std::int32_t> allowed;
    for (std::int32_t token = 0; token < static_cast<std::int32_t>(words()->vocabulary()); ++token)
      if (grammar::allows(mask, token)) allowed.push_back(token);
    HERD_CHECK(constraint.steps() < 4 * grammar::limits::mask_steps_max, "{} steps",
               constraint.steps());
    if (allowed.empty()) {
      HERD_CHECK(constraint.is_too_complex() || constraint.can_end(), "no token after {}", i);
      return;
    }
    const std::int32_t token =
        allowed[static_cast<std::size_t>(uniform(seed, i) * static_cast<double>(allowed.size()))];
    const grammar::TokenMask before(mask.begin(), mask.end());
    if (constraint.accept(token)) {
      if (uniform(seed, i, 1) > 0.1) continue;
      constraint.rollback(1);
    } else {
      refused = true;
    }
    const auto after = constraint.mask();
    HERD_CHECK(std::ranges::equal(before, after), "token {} left something behind", token);
    HERD_CHECK(!refused || !constraint.accept(token), "token {} is refused once", token);
    if (refused) return;  // the engine draws again; here it is enough
  }
}

// A text from anywhere as a grammar: refused with a reason, or one that can always be followed to an end.
inline void walk_if_compiled(Result<grammar::Compiled> compiled) {
  if (!compiled) {
    HERD_CHECK(!compiled.error().message.empty());
    return;
  }
  // Shared with the matchers.
  const auto shared = std::make_shared<const grammar::Compiled>(*std::move(compiled));
  for (std::uint64_t seed = 0; seed < 3; ++seed) walk(shared, seed, 200);
  for (std::uint64_t seed = 0; seed < 2; ++seed) write_tokens(shared, seed, 30);
}

}  // namespace herd::fuzz
