// A tokenizer.model from anywhere: refused with a message, or a tokenizer that keeps its promises on the file's own
// text.
#include "base/bytes.h"
#include "fuzz/text_oracles.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const std::string_view input = text_of({data, size});
  const auto tokenizer = text::Tokenizer::from_tiktoken(input);
  if (!tokenizer) {
    HERD_CHECK(!tokenizer.error().message.empty());
    return 0;
  }
  fuzz::check_round_trip(*tokenizer, input);
  fuzz::check_merging(*tokenizer, input);
  return 0;
}
