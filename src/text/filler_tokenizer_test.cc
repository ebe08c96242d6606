#include "text/filler_tokenizer.h"

#include <gtest/gtest.h>

#include "text/llama4_tokens.h"
#include "text/tokenizer.h"

namespace herd::text {
namespace {

TEST(FillerTokenizer, HasTheBytesAndTheSpecialTokensWhereLlama4HasThem) {
  const auto tokenizer =
      Tokenizer::from_json(filler_tokenizer_json(202'048, llama4_special_tokens()));
  ASSERT_TRUE(tokenizer.has_value()) << to_string(tokenizer.error());
  EXPECT_EQ(tokenizer->size(), 202'048);
  EXPECT_EQ(tokenizer->special("<|begin_of_text|>"), 200'000);
  EXPECT_EQ(tokenizer->special("<|eot|>"), 200'008);
  EXPECT_EQ(tokenizer->special("<|image_start|>"), 200'080);
  EXPECT_EQ(tokenizer->special("<|patch|>"), 200'092);
  EXPECT_EQ(tokenizer->stop_ids(), (std::vector<std::int32_t>{200'001, 200'007, 200'008}));
  EXPECT_EQ(tokenizer->bytes_of(0), "\xC0");  // Llama 4's rank 0
  EXPECT_EQ(tokenizer->bytes_of(13), "!");    // spec 4.1
  EXPECT_EQ(tokenizer->bytes_of(255), "\xAD");
}

TEST(FillerTokenizer, MakesOneTokenOfEveryByteAndBack) {
  const std::vector<std::string> specials{"<|begin_of_text|>", "<|eot|>"};
  const auto tokenizer = Tokenizer::from_json(filler_tokenizer_json(300, specials));
  ASSERT_TRUE(tokenizer.has_value()) << to_string(tokenizer.error());
  std::string all = "Hello unused256 w\xC3\xB6rld <|eot|> ";
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const auto ids = tokenizer->encode(all, SpecialTokens::as_text);
  EXPECT_EQ(ids.size(), all.size());
  EXPECT_EQ(tokenizer->decode(ids, false), all);
  EXPECT_EQ(tokenizer->encode("<|eot|>", SpecialTokens::parse), std::vector<std::int32_t>{299});
}

}  // namespace
}  // namespace herd::text
