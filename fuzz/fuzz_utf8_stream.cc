// Tokens that carry any bytes, control tokens among them: every piece that leaves the decoder is UTF-8, and together
// they are the bytes with what is no UTF-8 replaced, however the bytes are spread over tokens.
#include "base/bytes.h"
#include "fuzz/text_oracles.h"

namespace herd::fuzz {
namespace {

// The decoder's whole output for one token each `bytes`; every third may be a control token, which has no text.
std::string decoded(std::string_view bytes, bool with_special) {
  const text::Tokenizer& tokenizer = byte_tokenizer();
  text::StreamDecoder decoder(tokenizer);
  std::string out;
  const auto push = [&](std::int32_t id) {
    const std::string piece = decoder.push(id);
    HERD_CHECK(!text::first_invalid_utf8(piece), "a piece that is no UTF-8");
    HERD_CHECK(decoder.held() <= 3);
    out += piece;
  };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    push(static_cast<std::int32_t>(static_cast<unsigned char>(bytes[i])));
    if (with_special && i % 3 == 2) push(*tokenizer.special("<|eot|>"));
  }
  const std::string tail = decoder.finish();
  HERD_CHECK(tail.empty() || tail == "\xEF\xBF\xBD");
  HERD_CHECK(decoder.held() == 0);
  return out + tail;
}

}  // namespace
}  // namespace herd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  using fuzz::decoded;
  const std::string_view input = text_of({data, size});
  const std::string wanted = text::replace_invalid_utf8(input);
  HERD_CHECK(!text::first_invalid_utf8(wanted));
  HERD_CHECK(decoded(input, false) == wanted);
  HERD_CHECK(!text::first_invalid_utf8(decoded(input, true)));
  // What is held back at a cut is what completes with the next byte, or never does.
  for (std::size_t cut = 0; cut <= std::min<std::size_t>(size, 64); ++cut) {
    const std::size_t tail = text::incomplete_tail(input.substr(0, cut));
    HERD_CHECK(tail <= 3 && tail <= cut);
  }
  return 0;
}
