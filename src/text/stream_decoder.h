// Token ids to text while they arrive: every string that comes out is UTF-8.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace herd::text {

// One answer's decoder. Together, what push() returned and what finish() returns are the tokens' bytes with every
// maximal run that is no UTF-8 replaced by U+FFFD; a character is held back until its last byte is there.
// Not for several threads at once. The tokenizer must outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true)
      : tokenizer_(&tokenizer), skip_special_(skip_special) {}

  // The characters that this token completes; may be empty. Ids without bytes add nothing.
  std::string push(std::int32_t id);

  // What is left: U+FFFD when the text ended inside a character, else empty. The decoder is as new afterwards.
  std::string finish();

  // Bytes held back, 0 to 3.
  [[nodiscard]] std::size_t held() const { return held_.size(); }

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_;
  std::string held_;
};

}  // namespace herd::text
