#include "text/tokenizer_json_writer.h"

#include <gtest/gtest.h>

#include "text/bpe_training.h"
#include "text/byte_alphabet.h"
#include "text/corpus_for_test.h"
#include "text/llama4_tokens.h"
#include "text/tokenizer.h"

namespace herd::text {
namespace {

TokenizerContent trained(Split split) {
  const testing::Corpus corpus(HERD_ROOT "/tests/data/text/corpus.json");
  PieceCounts counts(split);
  for (std::size_t i = 0; i < 32; ++i) counts.add(corpus.chunk(i));
  return *train_bpe(counts, {.vocabulary = 1200, .specials = llama4_short_special_tokens()});
}

TEST(TokenizerJsonWriter, WritesWhatTheReaderReads) {
  const testing::Corpus corpus(HERD_ROOT "/tests/data/text/corpus.json");
  for (const Split split : {Split::llama4, Split::single_digits}) {
    const TokenizerContent content = trained(split);
    const auto tokenizer = Tokenizer::from_json(tokenizer_json(content));
    ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
    EXPECT_EQ(tokenizer->size(), 1200);
    EXPECT_EQ(tokenizer->size(), content.size());
    EXPECT_EQ(tokenizer->split(), split);
    EXPECT_EQ(tokenizer->special("<|begin_of_text|>"), 1168);
    EXPECT_EQ(tokenizer->special("<|patch|>"), 1199);
    EXPECT_EQ(tokenizer->merges().size(), content.merges.size());
    for (std::size_t id = 0; id < content.tokens.size(); ++id) {
      ASSERT_EQ(tokenizer->bytes_of(static_cast<std::int32_t>(id)), content.tokens[id]);
      ASSERT_FALSE(tokenizer->is_special(static_cast<std::int32_t>(id)));
    }
    std::size_t bytes = 0, ids = 0;
    for (std::size_t i = 32; i < 48; ++i) {
      const std::string text = corpus.chunk(i);
      const auto encoded = tokenizer->encode(text, SpecialTokens::as_text);
      EXPECT_EQ(tokenizer->decode(encoded, false), text);
      bytes += text.size();
      ids += encoded.size();
    }
    EXPECT_LT(5 * ids, 3 * bytes) << "on text like that it was trained on";
  }
}

TEST(TokenizerJsonWriter, KeepsEveryDigitByItself) {
  const auto ids_of = [](Split split) {
    PieceCounts counts(split);
    counts.add("12 ab 12 ab 12 ab");
    const auto content = train_bpe(counts, {.vocabulary = 258, .specials = {"<|begin_of_text|>"}});
    return Tokenizer::from_json(tokenizer_json(*content))->encode("1212", SpecialTokens::as_text);
  };
  const std::int32_t one = 13 + '1' - '!';  // Llama 4's ids of single bytes
  EXPECT_EQ(ids_of(Split::llama4), (std::vector<std::int32_t>{256, one, one + 1}));
  EXPECT_EQ(ids_of(Split::single_digits).size(), 4u);
}

TEST(TokenizerJsonWriter, NamesTheRolesThatExist) {
  TokenizerContent content = trained(Split::llama4);
  const json::object config = tokenizer_config(content);
  EXPECT_EQ(config.at("bos_token"), "<|begin_of_text|>");
  EXPECT_EQ(config.at("eos_token"), "<|eot|>");
  EXPECT_EQ(config.at("pad_token"), "<|finetune_right_pad|>");
  EXPECT_EQ(config.at("added_tokens_decoder").as_object().size(), 32u);
  EXPECT_EQ(config.at("added_tokens_decoder").at("1176").at("content"), "<|eot|>");
  EXPECT_FALSE(config.contains("chat_template"));
  content.specials.resize(1);
  EXPECT_FALSE(tokenizer_config(content).contains("eos_token"));
}

TEST(ByteAlphabet, GoesBothWaysForEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(bytes_from_alphabet(in_alphabet(all)), all);
  EXPECT_EQ(in_alphabet(" the\n"), "\u0120the\u010a");
  EXPECT_FALSE(bytes_from_alphabet("a b"));
  EXPECT_FALSE(bytes_from_alphabet("\u4e00"));
}

TEST(Llama4Tokens, AreCutToThoseAroundTheNamedOnes) {
  const auto names = llama4_short_special_tokens();
  ASSERT_EQ(names.size(), 32u);
  EXPECT_EQ(names[0], "<|begin_of_text|>");
  EXPECT_EQ(names[8], "<|eot|>");
  EXPECT_EQ(names[18], "<|finetune_right_pad|>");
  EXPECT_EQ(names[19], "<|image_start|>");
  EXPECT_EQ(names[31], "<|patch|>");
}

}  // namespace
}  // namespace herd::text
