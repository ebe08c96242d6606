// Reads JSON text piece by piece for a caller that knows which piece must come next. Used where the caller's grammar is
// fixed and small and positions matter (safetensors headers); everything else goes through base/json.h.
// Nothing recurses, nothing is stored: depth and memory are the caller's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace herd::checkpoint {

// The text is held to RFC 8259 and to UTF-8; errors are bad_header and name the byte, counted from the text's start.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  [[nodiscard]] std::uint64_t position() const { return at_; }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  void skip_space();

  // Skips space, then takes `wanted` if it is next.
  bool accept(char wanted);

  // The same, or an error that names what is there instead.
  Result<void> expect(char wanted);

  // A string with its escapes resolved; its position is that of the opening quote. Fails when it is longer than
  // `bytes_max` once resolved, holds control characters, a lone surrogate or bytes that are not UTF-8.
  Result<std::string> string(std::uint64_t bytes_max);

  // A whole number without sign, fraction, exponent or leading zero, below 2^64.
  Result<std::uint64_t> whole_number();

 private:
  Result<void> escape(std::string& out);
  Result<std::uint32_t> four_hex_digits();
  [[nodiscard]] std::string what_is_here() const;

  std::string_view text_;
  std::uint64_t at_ = 0;
};

// Length of the UTF-8 character at `text`'s start (1 to 4), or 0 where the bytes are none (RFC 3629: no surrogates, no
// overlong forms, nothing above U+10FFFF).
int utf8_length(std::string_view text);

}  // namespace herd::checkpoint
