// What tests of grammars share: whether a text is in one, and a small vocabulary.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "grammar/matcher.h"

namespace herd::grammar::testing {

// Shared by the matchers of a test.
inline CompiledPtr take(Result<Compiled> compiled) {
  HERD_CHECK(compiled, "{}", to_string(compiled.error()));
  return std::make_shared<const Compiled>(*std::move(compiled));
}

inline bool matches(const CompiledPtr& compiled, std::string_view text) {
  Matcher matcher(compiled);
  return matcher.accept(text) && matcher.can_end();
}

// All single bytes, then words that cross the borders of JSON's tokens; the last is the end, without bytes.
inline std::vector<std::string> small_vocabulary() {
  std::vector<std::string> out;
  for (int byte = 0; byte < 256; ++byte) out.emplace_back(1, static_cast<char>(byte));
  for (const char* word :
       {"\":",      "\",",  "\", \"", "{\"",   "\"}",     "\"}]",    "}}",       "]}",
        "},{",      "[[",   "]]",     "\": ",  ": [",     "true",    "false",    "null",
        "tr",       "ue",   "12",     "-1",    "0.5",     "e+",      "name",     "value",
        "the ",     " a",   "\\n",    "\\u00", "\\ud83d", "\\ude00", "\xC3\xA9", "\xF0\x9F",
        "\x98\x80", "\n  ", "    ",   "\"\"",  "[]",      "{}",      "\":\"",    "\":{\"",
        "1,",       "1]",   "0}",     "ab",    "abc",     "xy",      "\", ",     "yes"})
    out.emplace_back(word);
  out.emplace_back("ab");  // a second token of the same bytes
  out.emplace_back();
  return out;
}

}  // namespace herd::grammar::testing
