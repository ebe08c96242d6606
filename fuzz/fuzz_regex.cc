// Patterns from anywhere.
#include "base/bytes.h"
#include "fuzz/grammar_walk.h"
#include "grammar/regex.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  herd::fuzz::walk_if_compiled(herd::grammar::compile_regex(herd::text_of({data, size})));
  return 0;
}
