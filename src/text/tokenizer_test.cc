// Agreement with the reference tokenizers; hostile files are in tokenizer_file_test.cc.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "text/corpus_for_test.h"
#include "text/split.h"
#include "text/tokenizer_for_test.h"

namespace herd::text {
namespace {

using testing::Corpus;
using testing::hash_of;

const Corpus& corpus() {
  static const Corpus corpus(HERD_ROOT "/tests/data/text/corpus.json");
  return corpus;
}

// Column `name` of expected.json, one hash for each chunk.
class Expected {
 public:
  Expected() : reference_(*read_json(HERD_ROOT "/tests/data/text/expected.json")) {
    for (const auto& name : reference_.at("columns").as_array())
      columns_.emplace_back(name.as_string());
  }
  std::string at(std::size_t chunk, std::string_view column) const {
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i] == column)
        return std::string(reference_.at("chunks").at(chunk).at(i).as_string());
    return {};
  }
  std::size_t chunks() const { return reference_.at("chunks").as_array().size(); }

 private:
  json::value reference_;
  std::vector<std::string> columns_;
};

std::string hex(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

void expect_column(const Tokenizer& tokenizer, std::string_view column, SpecialTokens specials) {
  const Expected expected;
  ASSERT_EQ(expected.chunks(), Corpus::chunks);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < Corpus::chunks; ++i) {
    if (specials == SpecialTokens::parse && Corpus::has_invalid(i)) continue;
    const std::string text = corpus().chunk(i);
    bytes += text.size();
    ASSERT_EQ(hex(hash_of(text)), expected.at(i, "bytes"))
        << "the two generators differ, chunk " << i;
    const auto ids = tokenizer.encode(text, specials);
    EXPECT_EQ(hex(hash_of(ids)), expected.at(i, column)) << "chunk " << i;
    EXPECT_EQ(tokenizer.decode(ids, false), text) << "chunk " << i;
  }
  EXPECT_GT(bytes, 2'000'000u);
}

TEST(Tokenizer, CutsTheCorpusAsTheReferenceDoes) {
  const Expected expected;
  for (const auto& [split, column] :
       {std::pair(Split::llama4, "pieces"), std::pair(Split::single_digits, "singles")})
    for (std::size_t i = 0; i < Corpus::chunks; ++i) {
      const std::string text = corpus().chunk(i);
      std::vector<std::size_t> lengths;
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = piece_end(text, at, split);
        lengths.push_back(end - at);
        at = end;
      }
      EXPECT_EQ(hex(hash_of(lengths)), expected.at(i, column)) << column << " of chunk " << i;
    }
}

TEST(Tokenizer, EncodesTheCorpusAsTheReferenceDoes) {
  expect_column(testing::small_tokenizer(), "small", SpecialTokens::as_text);
}

TEST(Tokenizer, ParsesSpecialTokensAsTheReferenceDoes) {
  expect_column(testing::small_tokenizer(), "parsed", SpecialTokens::parse);
}

TEST(Tokenizer, EncodesByMergesAloneAsTheReferenceDoes) {
  std::string text = testing::small_file();
  testing::replace_once(text, "\"ignore_merges\":true", "\"ignore_merges\":false");
  const auto tokenizer = Tokenizer::from_json(text);
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  expect_column(*tokenizer, "merged", SpecialTokens::as_text);
}

TEST(Tokenizer, EncodesByRanksAsTiktokenDoes) {
  const auto tokenizer = Tokenizer::from_tiktoken(testing::small_ranks());
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  EXPECT_EQ(tokenizer->size(), 2972 + 2048);
  expect_column(*tokenizer, "ranked", SpecialTokens::as_text);
}

TEST(Tokenizer, AcceptsMergesWrittenAsStrings) {
  json::value file = *parse_json(testing::small_file());
  for (auto& merge : file.at("model").at("merges").as_array())
    merge = std::string(merge.at(0).as_string()) + " " + std::string(merge.at(1).as_string());
  const auto tokenizer = Tokenizer::from_json(json::serialize(file));
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  const std::string text = corpus().chunk(3);
  EXPECT_EQ(tokenizer->encode(text, SpecialTokens::as_text),
            testing::small_tokenizer().encode(text, SpecialTokens::as_text));
}

// Meta's own file is not ours to publish; the test runs where the reference environment has it.
class MetaTokenizer : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path site = HERD_ROOT "/.venv/lib";
    std::error_code ignored;
    for (const auto& python : fs::directory_iterator(site, ignored)) {
      const fs::path path = python.path() / "site-packages/llama_models/llama4/tokenizer.model";
      if (fs::exists(path, ignored)) path_ = path;
    }
    if (path_.empty()) GTEST_SKIP() << "llama_models' llama4/tokenizer.model is not in .venv";
    auto loaded = Tokenizer::from_file(path_);
    ASSERT_TRUE(loaded) << to_string(loaded.error());
    tokenizer_ = std::make_unique<Tokenizer>(*std::move(loaded));
  }
  fs::path path_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(MetaTokenizer, GivesTheVectorsOfTheSpecification) {
  struct Vector {
    std::string_view text;
    std::vector<std::int32_t> ids;
  };
  const std::vector<Vector> vectors{
      {"Hello, world!", {19873, 24, 3817, 13}},
      {"The quick brown fox jumps over the lazy dog.",
       {954, 7202, 27756, 92637, 67072, 1278, 290, 37463, 10877, 26}},
      {"Roses are red,", {62, 19441, 583, 4242, 24}},
      {"You are a helpful assistant", {4662, 583, 262, 19933, 43910}},
      {"1234567890", {7235, 19596, 30054, 28}},
      {"I'm can't WON'T", {23752, 12337, 484, 956, 59842}},
      {"  leading spaces\n\n\ttabs", {220, 10855, 15174, 368, 8275, 5799}},
      {"x = {'a': 1}/\n", {100, 319, 15584, 77, 2910, 220, 29, 105, 4716}},
      {"日本語のテキスト", {21764, 16728, 1169, 169866}},
      {"Привет мир", {10815, 3524, 33701}},
      {"ÀÉÎ naïve", {24762, 9054, 53513, 1181, 164301}},
      {"\U0001F642\U0001F469\u200D\U0001F469\u200D\U0001F467",
       {5796, 247, 224, 65906, 115, 12817, 65906, 115, 12817, 65906, 113}},
      {"\n\n", {368}},
      {"user", {1556}},
      {"assistant", {140680}},
      {"system", {15651}},
      {"ipython", {607, 6934}},
      {"tool", {21188}}};
  for (const Vector& v : vectors) {
    EXPECT_EQ(tokenizer_->encode(v.text, SpecialTokens::as_text), v.ids) << v.text;
    EXPECT_EQ(tokenizer_->decode(v.ids, true), v.text);
  }
}

TEST_F(MetaTokenizer, NamesItsSpecialTokens) {
  EXPECT_EQ(tokenizer_->size(), 202048);
  const std::vector<std::pair<const char*, std::int32_t>> names{
      {"<|begin_of_text|>", 200000},
      {"<|header_start|>", 200005},
      {"<|eot|>", 200008},
      {"<|python_start|>", 200016},
      {"<|finetune_right_pad|>", 200018},
      {"<|text_post_train_reserved_special_token_68|>", 200079},
      {"<|image_start|>", 200080},
      {"<|tile_y_separator|>", 200085},
      {"<|image|>", 200090},
      {"<|patch|>", 200092},
      {"<|vision_reserved_special_token_1047|>", 201133},
      {"<|reasoning_thinking_end|>", 201143},
      {"<|reserved_special_token_903|>", 202047}};
  for (const auto& [name, id] : names) EXPECT_EQ(tokenizer_->special(name), id) << name;
  EXPECT_EQ(tokenizer_->stop_ids(), (std::vector<std::int32_t>{200001, 200007, 200008}));
  EXPECT_EQ(tokenizer_->merges().size(), 439'802u);
}

TEST_F(MetaTokenizer, EncodesTheCorpusAsTiktokenDoes) {
  expect_column(*tokenizer_, "meta", SpecialTokens::as_text);
}

// reliability.md B3: nothing that is typed can become a control token.
TEST_F(MetaTokenizer, NeverMakesASpecialTokenOfText) {
  for (std::int32_t id = 200000; id < 202048; ++id) {
    const std::string text = "before " + std::string(tokenizer_->bytes_of(id)) + "after";
    for (const std::int32_t made : tokenizer_->encode(text, SpecialTokens::as_text))
      ASSERT_FALSE(tokenizer_->is_special(made)) << text;
    const auto parsed = tokenizer_->encode(text, SpecialTokens::parse);
    ASSERT_EQ(std::count(parsed.begin(), parsed.end(), id), 1) << text;
  }
}

TEST(Tokenizer, DecodesWhatItEncodedWhateverTheBytes) {
  const Tokenizer& tokenizer = testing::small_tokenizer();
  testing::Draw draw(77);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes;
    for (std::uint64_t n = draw.below(200); n > 0; --n)
      bytes += static_cast<char>(draw.below(draw.below(2) != 0 ? 256 : 8) + 40 * draw.below(2));
    for (const auto specials : {SpecialTokens::as_text, SpecialTokens::parse})
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(bytes, specials), false), bytes);
  }
}

TEST(Tokenizer, SkipsSpecialTokensOnlyWhenAsked) {
  const Tokenizer& tokenizer = testing::small_tokenizer();
  const auto ids = tokenizer.encode("a<|eot|>b<|eom", SpecialTokens::parse);
  EXPECT_EQ(tokenizer.decode(ids, false), "a<|eot|>b<|eom");
  EXPECT_EQ(tokenizer.decode(ids, true), "ab<|eom");
  EXPECT_EQ(tokenizer.decode(std::vector<std::int32_t>{-1, 1 << 30, tokenizer.size()}, false), "");
  EXPECT_FALSE(tokenizer.special("<|nothing|>"));
  EXPECT_FALSE(tokenizer.special("a"));
}

TEST(Tokenizer, TakesTheLongestNameAtTheLeftmostPlace) {
  std::string text = testing::small_file();
  const auto add = [&](int id, std::string_view name, bool special) {
    testing::replace_once(text, "\"added_tokens\":[",
                          fmt::format("\"added_tokens\":[{{\"id\":{},\"content\":\"{}\","
                                      "\"special\":{}}},",
                                      id, name, special));
  };
  const int size = testing::small_tokenizer().size();
  add(size, "<|eot|>>", true);
  add(size + 1, "plain", false);
  add(size + 2, "plainer", true);
  const auto tokenizer = Tokenizer::from_json(text);
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  const auto eot = *tokenizer->special("<|eot|>");
  using Ids = std::vector<std::int32_t>;
  EXPECT_EQ(tokenizer->encode("<|eot|>><|eot|>", SpecialTokens::parse), (Ids{size, eot}));
  // An added token that is not special is a word: matched always, printed always.
  EXPECT_EQ(tokenizer->encode("plain", SpecialTokens::as_text), (Ids{size + 1}));
  EXPECT_EQ(tokenizer->encode("plainer", SpecialTokens::parse), (Ids{size + 2}));
  EXPECT_EQ(tokenizer->encode("plainer", SpecialTokens::as_text).front(), size + 1);
  EXPECT_EQ(tokenizer->decode(Ids{size + 1, size + 2}, true), "plain");
  EXPECT_FALSE(tokenizer->special("plain"));
}

TEST(Tokenizer, AppendsBehindWhatIsThere) {
  const Tokenizer& tokenizer = testing::small_tokenizer();
  std::vector<std::int32_t> ids{-5};
  const std::string text = corpus().chunk(0);
  tokenizer.append(text, SpecialTokens::as_text, ids);
  EXPECT_EQ(ids.front(), -5);
  ids.erase(ids.begin());
  EXPECT_EQ(ids, tokenizer.encode(text, SpecialTokens::as_text));
}

}  // namespace
}  // namespace herd::text
