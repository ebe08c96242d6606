// What must hold for every tokenizer and every text; shared by the text targets. Breaking one aborts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "text/bpe.h"
#include "text/split.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace herd::fuzz {

// The 256 bytes as ranks and Llama 4's special tokens behind them.
inline const text::Tokenizer& byte_tokenizer() {
  static const text::Tokenizer tokenizer = [] {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string lines;
    for (std::size_t byte = 0; byte < 256; ++byte)
      lines += fmt::format("{}{}== {}\n", digits[byte >> 2], digits[(byte & 3) << 4], byte);
    auto made = text::Tokenizer::from_tiktoken(lines);
    HERD_CHECK(made, "{}", to_string(made.error()));
    return *std::move(made);
  }();
  return tokenizer;
}

// Encoding loses nothing, makes no control token of text, and streams the same text.
inline void check_round_trip(const text::Tokenizer& tokenizer, std::string_view input) {
  using text::SpecialTokens;
  for (const auto specials : {SpecialTokens::as_text, SpecialTokens::parse}) {
    const std::vector<std::int32_t> ids = tokenizer.encode(input, specials);
    HERD_CHECK(tokenizer.decode(ids, false) == input);
    text::StreamDecoder stream(tokenizer, false);
    std::string streamed;
    for (const std::int32_t id : ids) {
      HERD_CHECK(specials == SpecialTokens::parse || !tokenizer.is_special(id), "id {}", id);
      const std::string part = stream.push(id);
      HERD_CHECK(!text::first_invalid_utf8(part));
      streamed += part;
    }
    streamed += stream.finish();
    HERD_CHECK(streamed == text::replace_invalid_utf8(input));
  }
}

// Windows and the tournament give what the definition gives.
inline void check_merging(const text::Tokenizer& tokenizer, std::string_view input) {
  input = input.substr(0, 600);
  if (input.empty()) return;
  std::vector<std::int32_t> fast;
  std::vector<std::int32_t> naive;
  encode_piece(tokenizer.vocabulary(), tokenizer.merges(), input, fast);
  encode_piece_naive(tokenizer.vocabulary(), tokenizer.merges(), input, naive);
  HERD_CHECK(fast == naive);
}

}  // namespace herd::fuzz
