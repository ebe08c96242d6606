// JSON Schemas from anywhere: refused with a reason, or a grammar whose every text is JSON.
#include "base/bytes.h"
#include "fuzz/grammar_walk.h"
#include "grammar/json_schema.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const auto schema = parse_json(text_of({data, size}));
  if (!schema) return 0;
  auto compiled = grammar::compile_json_schema(*schema);
  if (!compiled) {
    HERD_CHECK(!compiled.error().message.empty());
    return 0;
  }
  // Shared with the matchers.
  const auto shared = std::make_shared<const grammar::Compiled>(*std::move(compiled));
  fuzz::write_tokens(shared, 0, 30);
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const auto text = fuzz::walk(shared, seed, 300);
    if (!text) continue;
    // Names outside `properties` may occur twice, as the header says; everything else is strict.
    const auto value = parse_json(*text);
    HERD_CHECK(value || value.error().message.contains("twice") ||
                   value.error().message.contains("duplicate") ||
                   value.error().code == Code::json_too_deep,
               "{}: {}", *text, to_string(value.error()));
  }
  return 0;
}
