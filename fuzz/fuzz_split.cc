// Any bytes: the pieces are the text, every character is looked at a bounded number of times, nothing is lost.
#include "base/bytes.h"
#include "fuzz/text_oracles.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const std::string_view input = text_of({data, size});
  std::size_t at = 0;
  while (at < input.size()) {
    const std::size_t end = text::piece_end(input, at);
    HERD_CHECK(end > at && end <= input.size(), "a piece from {} to {} of {}", at, end, size);
    at = end;
  }
  HERD_CHECK(text::split_work(input) <= 4 * input.size() + 4);

  const std::size_t tail = text::incomplete_tail(input);
  HERD_CHECK(tail <= 3 && tail <= input.size());
  const std::string replaced = text::replace_invalid_utf8(input);
  HERD_CHECK(!text::first_invalid_utf8(replaced));
  HERD_CHECK((replaced == input) == !text::first_invalid_utf8(input));

  fuzz::check_round_trip(fuzz::byte_tokenizer(), input);
  return 0;
}
