// GBNF from anywhere: refused with a reason, or a grammar that can always be followed to an end.
#include "base/bytes.h"
#include "fuzz/grammar_walk.h"
#include "grammar/gbnf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  auto compiled = grammar::compile_gbnf(text_of({data, size}));
  if (!compiled) {
    HERD_CHECK(!compiled.error().message.empty());
    return 0;
  }
  // Shared with the matchers.
  const auto shared = std::make_shared<const grammar::Compiled>(*std::move(compiled));
  for (std::uint64_t seed = 0; seed < 3; ++seed) fuzz::walk(shared, seed, 200);
  return 0;
}
