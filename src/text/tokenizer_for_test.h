// The small tokenizer of tests/data/text, its file, and the same words as a tiktoken file.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/check.h"
#include "text/tokenizer.h"

namespace herd::text::testing {

inline std::string small_file() {
  return *read_file(HERD_ROOT "/tests/data/text/tokenizer.json", 1 << 20);
}

inline const Tokenizer& small_tokenizer() {
  static const Tokenizer tokenizer = [] {
    auto loaded = Tokenizer::from_json(small_file());
    HERD_CHECK(loaded, "{}", to_string(loaded.error()));
    return *std::move(loaded);
  }();
  return tokenizer;
}

inline std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      out += i + k <= bytes.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

inline std::string small_ranks() {
  std::string lines;
  for (std::int32_t id = 0; id < small_tokenizer().size(); ++id)
    if (!small_tokenizer().is_special(id))
      lines += base64(small_tokenizer().bytes_of(id)) + " " + std::to_string(id) + "\n";
  return lines;
}

inline void replace_once(std::string& text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  HERD_CHECK(at != std::string::npos, "{} is not there", from);
  text.replace(at, from.size(), to);
}

}  // namespace herd::text::testing
