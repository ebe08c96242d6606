#include "text/stream_decoder.h"

#include <gtest/gtest.h>

#include "text/corpus_for_test.h"
#include "text/tokenizer_for_test.h"
#include "text/utf8.h"

namespace herd::text {
namespace {

std::vector<std::int32_t> byte_ids(std::string_view bytes) {
  std::vector<std::int32_t> ids;
  for (const char c : bytes)
    ids.push_back(
        testing::small_tokenizer().vocabulary().byte_token(static_cast<unsigned char>(c)));
  return ids;
}

TEST(StreamDecoder, HoldsACharacterUntilItsLastByte) {
  StreamDecoder decoder(testing::small_tokenizer());
  std::vector<std::string> out;
  for (const std::int32_t id : byte_ids("a\xf0\x9f\x98\x80z")) out.push_back(decoder.push(id));
  EXPECT_EQ(out, (std::vector<std::string>{"a", "", "", "", "\U0001F600", "z"}));
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, EndsInsideEveryPrefixOfACharacterWithOneReplacement) {
  for (const std::string_view character : {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"})
    for (std::size_t size = 1; size < character.size(); ++size) {
      StreamDecoder decoder(testing::small_tokenizer());
      for (const std::int32_t id : byte_ids(character.substr(0, size)))
        EXPECT_EQ(decoder.push(id), "");
      EXPECT_EQ(decoder.held(), size);
      EXPECT_EQ(decoder.finish(), "\uFFFD");
      EXPECT_EQ(decoder.finish(), "");
    }
}

TEST(StreamDecoder, GivesTheSameTextHoweverItArrives) {
  const Tokenizer& tokenizer = testing::small_tokenizer();
  testing::Draw draw(5);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::int32_t> ids;
    for (std::uint64_t n = draw.below(40); n > 0; --n)
      ids.push_back(static_cast<std::int32_t>(
          draw.below(draw.below(2) != 0 ? 256 : static_cast<std::uint64_t>(tokenizer.size()))));
    for (const bool skip : {false, true}) {
      StreamDecoder decoder(tokenizer, skip);
      std::string text;
      for (const std::int32_t id : ids) {
        const std::string part = decoder.push(id);
        ASSERT_EQ(first_invalid_utf8(part), std::nullopt);
        text += part;
      }
      text += decoder.finish();
      ASSERT_EQ(text, replace_invalid_utf8(tokenizer.decode(ids, skip)));
    }
  }
}

TEST(StreamDecoder, LeavesSpecialTokensOut) {
  const Tokenizer& tokenizer = testing::small_tokenizer();
  StreamDecoder skipping(tokenizer);
  StreamDecoder showing(tokenizer, false);
  const std::int32_t eot = *tokenizer.special("<|eot|>");
  EXPECT_EQ(skipping.push(eot), "");
  EXPECT_EQ(showing.push(eot), "<|eot|>");
  EXPECT_EQ(showing.push(1 << 30), "");
}

}  // namespace
}  // namespace herd::text
