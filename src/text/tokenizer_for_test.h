// The small tokenizer of tests/data/text, its file, and the same words as a tiktoken file.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/check.h"
#include "base/testing/base64.h"
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

using herd::base64;

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
