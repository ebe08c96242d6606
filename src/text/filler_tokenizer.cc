#include "text/filler_tokenizer.h"

#include "base/check.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer_json_writer.h"

namespace herd::text {

std::string filler_tokenizer_json(std::int64_t vocabulary, std::span<const std::string> specials) {
  const std::int64_t ordinary = vocabulary - static_cast<std::int64_t>(specials.size());
  HERD_CHECK(ordinary >= 256 && !specials.empty(), "a vocabulary of {} with {} special tokens",
             vocabulary, specials.size());
  TokenizerContent content;
  for (const unsigned char byte : llama4_bytes())
    content.tokens.emplace_back(1, static_cast<char>(byte));
  for (std::int64_t id = 256; id < ordinary; ++id)
    content.tokens.push_back(fmt::format("unused{}", id));
  content.specials.assign(specials.begin(), specials.end());
  return tokenizer_json(content);
}

}  // namespace herd::text
