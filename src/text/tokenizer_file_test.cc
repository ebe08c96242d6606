// Files that contradict themselves: each is refused with the entry named (reliability.md B2, F19).
#include <gmock/gmock.h>

#include "base/json.h"
#include "base/limits.h"
#include "text/llama4_tokens.h"
#include "text/tokenizer_for_test.h"

namespace herd::text {
namespace {

using ::testing::HasSubstr;

// The 256 bytes in the order of the alphabet and what a test adds: the smallest valid file.
json::value minimal() {
  json::value file = *parse_json(R"({
    "added_tokens": [], "normalizer": null,
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "ignore_merges": true, "vocab": {}, "merges": []}})");
  const json::value small = *parse_json(testing::small_file());
  file.at("pre_tokenizer") = small.at("pre_tokenizer");
  json::object& vocab = file.at("model").at("vocab").as_object();
  std::int64_t next = 0;
  for (const auto& word : small.at("model").at("vocab").as_object())
    if (word.value().as_int64() < 256) vocab.emplace(word.key(), next++);
  return file;
}

Result<Tokenizer> load(const json::value& file) {
  return Tokenizer::from_json(json::serialize(file));
}

void expect_refused(const json::value& file, std::string_view message) {
  const auto tokenizer = load(file);
  ASSERT_FALSE(tokenizer) << "accepted, wanted: " << message;
  EXPECT_EQ(tokenizer.error().code, Code::tokenizer_invalid);
  EXPECT_THAT(tokenizer.error().message, HasSubstr(message));
}

json::object& vocab_of(json::value& file) { return file.at("model").at("vocab").as_object(); }

TEST(TokenizerJson, AcceptsTheSmallest) {
  const auto tokenizer = load(minimal());
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  EXPECT_EQ(tokenizer->size(), 256);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("caf\u00e9\xff", SpecialTokens::parse), false),
            "caf\u00e9\xff");
}

TEST(TokenizerJson, RefusesWordsThatContradictEachOther) {
  auto file = minimal();
  vocab_of(file)["ab"] = 300;
  expect_refused(file,
                 "model.vocab entry 256 ('ab'): id 300 leaves a gap, 257 tokens have the ids "
                 "0 to 256");
  file = minimal();
  vocab_of(file)["ab"] = 7;
  expect_refused(file, "model.vocab entry 256 ('ab'): id 7 already belongs to model.vocab entry 7");
  file = minimal();
  vocab_of(file)["ab"] = -1;
  expect_refused(file, "id -1 is outside 0 to 2097151");
  file = minimal();
  vocab_of(file)["ab"] = std::int64_t{1} << 40;
  expect_refused(file, "id 1099511627776 is outside");
  file = minimal();
  vocab_of(file)["ab"] = 256.5;
  expect_refused(file, "model.vocab entry 256 ('ab'): the id is not an integer");
  file = minimal();
  vocab_of(file)["a b"] = 256;
  expect_refused(file, "model.vocab entry 256 ('a b'): not written in the byte-level alphabet");
  file = minimal();
  vocab_of(file)["<0x-1>\u4e00"] = 256;
  expect_refused(file, "not written in the byte-level alphabet");
  file = minimal();
  vocab_of(file)[""] = 256;
  expect_refused(file, "model.vocab entry 256 (id 256): the token is empty");
  file = minimal();
  const std::int64_t id = vocab_of(file).at("Q").as_int64();
  vocab_of(file).erase("Q");
  vocab_of(file)["QQ"] = id;
  expect_refused(file, "no token stands for the single byte 0x51");
}

TEST(TokenizerJson, BoundsATokensLength) {
  for (const std::uint64_t size : {limits::token_bytes_max - 1, limits::token_bytes_max}) {
    auto file = minimal();
    vocab_of(file)[std::string(size, 'x')] = 256;
    EXPECT_TRUE(load(file)) << size;
  }
  auto file = minimal();
  vocab_of(file)[std::string(limits::token_bytes_max + 1, 'x')] = 256;
  expect_refused(file, "16385 bytes, at most 16384 are allowed");
}

TEST(TokenizerJson, BoundsASpecialTokensName) {
  for (const std::uint64_t size :
       {limits::special_token_bytes_max - 1, limits::special_token_bytes_max}) {
    auto file = minimal();
    file.at("added_tokens") = {{{"id", 256}, {"content", std::string(size, 'x')}}};
    EXPECT_TRUE(load(file)) << size;
  }
  auto file = minimal();
  file.at("added_tokens") = {{{"id", 256}, {"content", std::string(257, 'x')}}};
  expect_refused(file, "added_tokens entry 0 (id 256): 257 bytes, at most 256 are allowed");
}

// At the limit the list is looked at, and its first entry is no pair; past it nobody looks.
TEST(TokenizerJson, BoundsTheNumberOfMerges) {
  const std::string file = json::serialize(minimal());
  const auto message_for = [&](std::uint64_t merges) {
    std::string list = "[\"\"";
    for (std::uint64_t i = 1; i < merges; ++i) list += ",\"\"";
    std::string changed = file;
    const std::string_view empty = "\"merges\":[]";
    changed.replace(changed.find(empty), empty.size(), "\"merges\":" + list + "]");
    const auto loaded = Tokenizer::from_json(changed);
    return loaded ? "loaded" : loaded.error().message;
  };
  EXPECT_THAT(message_for(limits::merges_max), HasSubstr("entry 0: not a pair of tokens"));
  EXPECT_THAT(message_for(limits::merges_max + 1),
              HasSubstr("4194305 entries, at most 4194304 are allowed"));
}

TEST(TokenizerJson, BoundsIds) {
  const auto message_for = [](std::uint64_t id) {
    auto file = minimal();
    vocab_of(file)["xx"] = id;
    const auto loaded = load(file);
    return loaded ? "loaded" : loaded.error().message;
  };
  EXPECT_THAT(message_for(limits::vocabulary_max), HasSubstr("is outside 0 to 2097151"));
  EXPECT_THAT(message_for(limits::vocabulary_max - 1), ::testing::Not(HasSubstr("is outside")));
  EXPECT_EQ(message_for(256), "loaded");
}

TEST(TokenizerJson, RefusesMergesOfUnknownPieces) {
  const auto with_merge = [](json::value merge) {
    auto file = minimal();
    vocab_of(file)["ab"] = 256;
    file.at("model").at("merges") = json::array{std::move(merge)};
    return file;
  };
  EXPECT_TRUE(load(with_merge("a b")));
  EXPECT_TRUE(load(with_merge(json::array{"a", "b"})));
  expect_refused(with_merge("a zz"), "model.merges entry 0: 'zz' is not in the vocabulary");
  expect_refused(with_merge("b a"),
                 "model.merges entry 0: 'b' joined with 'a' is not in the vocabulary");
  expect_refused(with_merge("ab"), "model.merges entry 0: not a pair of tokens");
  expect_refused(with_merge("a b c"), "model.merges entry 0: not a pair of tokens");
  expect_refused(with_merge(json::array{"a"}), "model.merges entry 0: not a pair of tokens");
  expect_refused(with_merge(7), "model.merges entry 0: not a pair of tokens");
  auto file = with_merge("a b");
  file.at("model").at("merges").as_array().emplace_back("a b");
  expect_refused(file, "model.merges entry 1: the pair 'a' 'b' is listed twice");
}

TEST(TokenizerJson, RefusesSpecialTokensThatContradict) {
  auto file = minimal();
  file.at("added_tokens") = {{{"id", 256}, {"content", "<|a|>"}, {"special", true}},
                             {{"id", 256}, {"content", "<|b|>"}, {"special", true}}};
  expect_refused(file, "id 256 already belongs to added_tokens entry 0");
  file.at("added_tokens") = {{{"id", 256}, {"content", "<|a|>"}, {"lstrip", true}}};
  expect_refused(file, "added_tokens entry 0 ('<|a|>'): lstrip is not known");
  file.at("added_tokens") = {{{"content", "<|a|>"}}};
  expect_refused(file, "added_tokens entry 0: no id");
  file.at("added_tokens") = {{{"id", 256}, {"content", ""}}};
  expect_refused(file, "the token is empty");
  // A merge may not make a control token.
  file.at("added_tokens") = {{{"id", 256}, {"content", "ab"}, {"special", true}}};
  vocab_of(file)["ab"] = 256;
  file.at("model").at("merges") = json::array{"a b"};
  expect_refused(file, "'a' joined with 'b' is not in the vocabulary");
  // Trained files list their special tokens in the vocabulary as well; the same id is no contradiction.
  file.at("model").at("merges") = json::array{};
  const auto tokenizer = load(file);
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  for (const std::int32_t made : tokenizer->encode("ab", SpecialTokens::as_text))
    EXPECT_FALSE(tokenizer->is_special(made));
}

TEST(TokenizerJson, RefusesByNameWhatWouldChangeTheTokens) {
  const auto with = [](const char* path, json::value value) {
    auto file = minimal();
    file.at_pointer(path) = std::move(value);
    return file;
  };
  auto file = minimal();
  file.as_object()["normalizer"] = {{"type", "NFC"}};
  expect_refused(file, "normalizer: 'NFC' is not known");
  expect_refused(with("/pre_tokenizer", nullptr), "pre_tokenizer: none");
  expect_refused(with("/pre_tokenizer", {{"type", "Whitespace"}}),
                 "pre_tokenizer: 'Whitespace' as step 0 is not known");
  expect_refused(with("/pre_tokenizer/pretokenizers/0/pattern", {{"Regex", "\\s+"}}),
                 "pre_tokenizer: the Split pattern '\\s+' is not Llama 4's");
  expect_refused(with("/pre_tokenizer/pretokenizers/0/behavior", "Removed"), "'Removed'");
  expect_refused(with("/pre_tokenizer/pretokenizers/1/use_regex", true), "use_regex");
  expect_refused(with("/pre_tokenizer/pretokenizers/1/add_prefix_space", true), "add_prefix_space");
  expect_refused(with("/decoder", {{"type", "WordPiece"}}), "decoder: 'WordPiece'");
  expect_refused(with("/model/type", "Unigram"), "model.type: 'Unigram'");
  file = minimal();
  file.at("model").as_object()["byte_fallback"] = true;
  expect_refused(file, "model.byte_fallback");
  file = minimal();
  file.at("model").as_object()["dropout"] = 0.1;
  expect_refused(file, "model.dropout");
  file = minimal();
  file.at("model").as_object()["end_of_word_suffix"] = "</w>";
  expect_refused(file, "model.end_of_word_suffix");
  file = minimal();
  file.at("model").as_object()["surprise"] = 1;
  expect_refused(file, "model.'surprise': not known");
  file = minimal();
  file.as_object()["post_processor"] = {{"type", "RobertaProcessing"}};
  expect_refused(file, "post_processor: 'RobertaProcessing' is not known");
}

TEST(TokenizerJson, TakesDigitsOneByOneWhereTheFileDoes) {
  auto file = minimal();
  vocab_of(file)["12"] = 256;
  file.at("model").at("merges") = json::array{"1 2"};
  const auto grouped = load(file);
  ASSERT_TRUE(grouped) << to_string(grouped.error());
  EXPECT_EQ(grouped->encode("x12", SpecialTokens::as_text).size(), 2u);
  file.at_pointer("/pre_tokenizer/pretokenizers/0/pattern/Regex") = single_digit_split_pattern;
  const auto single = load(file);
  ASSERT_TRUE(single) << to_string(single.error());
  EXPECT_EQ(single->encode("x12", SpecialTokens::as_text).size(), 3u);
}

TEST(TokenizerJson, DoesNotSplitWhereTheFileDoesNot) {
  auto file = minimal();
  file.at("pre_tokenizer") = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  vocab_of(file)["a\u0120b"] = 256;
  const auto tokenizer = load(file);
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  EXPECT_EQ(tokenizer->encode("a b", SpecialTokens::as_text), (std::vector<std::int32_t>{256}));
}

TEST(TokenizerJson, RefusesWhatIsNoJson) {
  EXPECT_EQ(Tokenizer::from_json("{").error().code, Code::invalid_json);
  EXPECT_EQ(Tokenizer::from_json("{\"model\":{},\"model\":{}}").error().code, Code::invalid_json);
  EXPECT_EQ(Tokenizer::from_json("[]").error().code, Code::tokenizer_invalid);
  EXPECT_EQ(Tokenizer::from_json(std::string(1000, '[')).error().code, Code::json_too_deep);
}

void expect_lines_refused(const std::string& lines, std::string_view message) {
  const auto tokenizer = Tokenizer::from_tiktoken(lines);
  ASSERT_FALSE(tokenizer) << "accepted, wanted: " << message;
  EXPECT_EQ(tokenizer.error().code, Code::tokenizer_invalid);
  EXPECT_THAT(tokenizer.error().message, HasSubstr(message));
}

TEST(TiktokenFile, RefusesLinesThatContradict) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte)
    bytes += testing::base64(std::string(1, static_cast<char>(byte))) + " " + std::to_string(byte) +
             "\n";
  const auto tokenizer = Tokenizer::from_tiktoken(bytes);
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  EXPECT_EQ(tokenizer->size(), 256 + 2048);
  EXPECT_EQ(tokenizer->special("<|begin_of_text|>"), 256);
  EXPECT_TRUE(Tokenizer::from_tiktoken(bytes + "\r\n\nYWI= 256\r\n"));

  expect_lines_refused("", "no line");
  expect_lines_refused(bytes + "YWI=\n", "line 257: 'YWI=' is not \"base64 rank\"");
  expect_lines_refused(bytes + "YW!= 256\n", "line 257: 'YW!=' is not base64");
  expect_lines_refused(bytes + "YWI 256\n", "line 257: 'YWI' is not base64");
  expect_lines_refused(bytes + "YWJ= 256\n", "line 257: 'YWJ=' is not base64");  // stray bits
  expect_lines_refused(bytes + "YWI= -1\n", "id -1 is outside");
  expect_lines_refused(bytes + "YWI= 25x\n", "line 257: '25x' is not a rank");
  expect_lines_refused(bytes + "YWI= 99999999999999999999\n", "is not a rank");
  expect_lines_refused(bytes + "YWI= 300\n", "line 257 ('ab'): rank 300 leaves a gap");
  expect_lines_refused(bytes + "YWI= 255\n", "already belongs to");
  expect_lines_refused(bytes + "YQ== 256\n", "'a' is already line 98 (id 97)");
  expect_lines_refused(bytes + " 256\n", "line 257: '' is not base64");
  expect_lines_refused(bytes + testing::base64("<|eot|>") + " 256\n", "'<|eot|>' is already");
  expect_lines_refused(bytes.substr(bytes.find('\n') + 1), "leaves a gap");
}

TEST(TokenizerFile, IsReadByItsContent) {
  const fs::path dir = fs::path(::testing::TempDir()) / "herd_tokenizer_file_test";
  fs::remove_all(dir);
  fs::create_directories(dir);
  EXPECT_EQ(Tokenizer::from_directory(dir).error().code, Code::missing_input);
  ASSERT_TRUE(write_file(dir / "tokenizer.model", std::string_view(testing::small_ranks())));
  EXPECT_EQ(Tokenizer::from_directory(dir)->size(), 2972 + 2048);
  ASSERT_TRUE(write_file(dir / "tokenizer.json", std::string_view(testing::small_file())));
  EXPECT_EQ(Tokenizer::from_directory(dir)->size(), testing::small_tokenizer().size());
  ASSERT_TRUE(write_file(dir / "tokenizer.json", std::string_view("{}")));
  EXPECT_THAT(Tokenizer::from_directory(dir).error().message, HasSubstr("tokenizer.json: model"));
  fs::remove_all(dir);
}

}  // namespace
}  // namespace herd::text
