// What must hold for every grammar that compiles; shared by the grammar targets. Breaking it aborts.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/check.h"
#include "base/rng.h"
#include "grammar/matcher.h"

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

// A text from anywhere as a grammar: refused with a reason, or one that can always be followed to an end.
inline void walk_if_compiled(Result<grammar::Compiled> compiled) {
  if (!compiled) {
    HERD_CHECK(!compiled.error().message.empty());
    return;
  }
  // Shared with the matchers.
  const auto shared = std::make_shared<const grammar::Compiled>(*std::move(compiled));
  for (std::uint64_t seed = 0; seed < 3; ++seed) walk(shared, seed, 200);
}

}  // namespace herd::fuzz
