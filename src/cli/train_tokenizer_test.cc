#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

using testing::HasSubstr;

std::string file_of(const fs::path& path) { return read_file(path, 1ull << 30).value(); }

// A text that has enough pairs for 600 ids.
std::string licence() { return file_of(fs::path(HERD_ROOT) / "docs/numerics.md"); }

TEST(TrainTokenizer, MakesATokenizerThatTokenizes) {
  const TemporaryDirectory scratch;
  const Ran made = run_herd({"train-tokenizer", scratch / "model", "docs/numerics.md",
                             "--vocab-size", "600", "--digits", "single", "--json"});
  ASSERT_EQ(made.status, 0) << made.err;
  const json::value said = document_of(made);
  EXPECT_EQ(said.at("vocabulary"), 600);
  EXPECT_EQ(said.at("merges"), 600 - 256 - 32);
  EXPECT_EQ(said.at("text_bytes"), static_cast<std::int64_t>(licence().size()));
  EXPECT_GT(said.at("bytes_per_token").as_double(), 1.5);

  const std::string text = "Every output element, 2048 of them: na\xC3\xAFve <|eot|>\n";
  const Ran ids = run_herd({"tokenize", scratch / "model"}, text);
  ASSERT_EQ(ids.status, 0) << ids.err;
  EXPECT_LT(document_of(ids).as_array().size(), text.size() * 3 / 4);
  const Ran back = run_herd({"tokenize", scratch / "model", "--decode"}, ids.out);
  EXPECT_EQ(back.out, text);
  EXPECT_EQ(run_herd({"tokenize", scratch / "model", "--count"}, "2048").out, "4\n");
  // What the trainer says of its text is what the tokenizer makes of it.
  const Ran count = run_herd({"tokenize", scratch / "model", "--count"}, licence());
  EXPECT_EQ(count.out, fmt::format("{}\n", said.at("text_tokens").as_int64()));
}

TEST(TrainTokenizer, WritesTheSameFilesHoweverTheTextComes) {
  const TemporaryDirectory scratch;
  const std::string text = licence();
  ASSERT_TRUE(
      write_file(scratch / "a.txt", std::string_view(text).substr(0, text.find("\n#") + 1)));
  ASSERT_TRUE(write_file(scratch / "b.txt", std::string_view(text).substr(text.find("\n#") + 1)));
  std::string lines;
  for (const char* name : {"a.txt", "b.txt"})
    lines += json::serialize(json::object{{"id", 7}, {"text", file_of(scratch / name)}}) + "\n\n";
  ASSERT_TRUE(write_file(scratch / "lines.jsonl", std::string_view(lines)));
  const auto run = [&](const char* name, std::vector<std::string> more,
                       std::string_view input = {}) {
    std::vector<std::string> words{"train-tokenizer", scratch / name, "--vocab-size", "500"};
    words.insert(words.end(), more.begin(), more.end());
    const Ran ran = run_herd(words, input);
    EXPECT_EQ(ran.status, 0) << ran.err;
  };
  run("stdin", {"--threads", "1"}, text);
  run("files", {"--threads", "3", scratch / "a.txt", scratch / "b.txt"});
  run("lines", {"--threads", "2", "--field", "text", scratch / "lines.jsonl"});
  run("limited", {"--limit-bytes", fmt::to_string(text.size())}, text + "zzzzzzzzzzzz zzzzzzzz");
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
    for (const char* name : {"files", "lines", "limited"})
      EXPECT_EQ(file_of(scratch / "stdin" / file), file_of(scratch / name / file)) << name;
}

TEST(TrainTokenizer, TakesAnyBytesAsText) {
  const TemporaryDirectory scratch;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += static_cast<char>(0x80 + i * i % 100);
  const Ran made = run_herd({"train-tokenizer", scratch / "model", "--vocab-size", "300"}, text);
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("300 ids (256 bytes, 12 merges, 32 special tokens)"));
  const Ran ids = run_herd({"tokenize", scratch / "model"}, text);
  EXPECT_EQ(run_herd({"tokenize", scratch / "model", "--decode"}, ids.out).out, text);
}

TEST(TrainTokenizer, ListsAllSpecialTokensWhenAsked) {
  const TemporaryDirectory scratch;
  const Ran made = run_herd({"train-tokenizer", scratch / "model", "docs/numerics.md",
                             "--vocab-size", "2500", "--specials", "full"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(run_herd({"tokenize", scratch / "model", "--special"}, "<|patch|><|eot|>").out,
            fmt::format("[{},{}]\n", 2500 - 2048 + 92, 2500 - 2048 + 8));
}

TEST(TrainTokenizer, SaysWhatIsWrongAndWritesNothing) {
  const TemporaryDirectory scratch;
  const auto run = [&](std::vector<std::string> more, std::string_view input) {
    std::vector<std::string> words{"train-tokenizer", scratch / "model"};
    words.insert(words.end(), more.begin(), more.end());
    return run_herd(words, input);
  };
  const auto expect = [&](int status, std::string_view message, std::vector<std::string> more,
                          std::string_view input = "some text, some text") {
    const Ran ran = run(std::move(more), input);
    EXPECT_EQ(ran.status, status) << message;
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(scratch / "model")) << message;
  };
  expect(2, "--vocab-size is missing", {});
  expect(2, "256 bytes and 32 special tokens need 288", {"--vocab-size", "287"});
  expect(2, "256 bytes and 2048 special tokens need 2304",
         {"--vocab-size", "2000", "--specials", "full"});
  expect(2, "too small for a vocabulary of 1000: it is good for 29", {"--vocab-size", "1000"});
  expect(65, "there is no text to train on in stdin", {"--vocab-size", "300"}, "");
  expect(66, "/nowhere.txt", {"--vocab-size", "300", scratch / "nowhere.txt"});
  expect(65, "stdin, line 2: ", {"--vocab-size", "300", "--field", "text"},
         "{\"text\": \"some text\"}\n{\"text\": ");
  expect(65, "stdin, line 3: no such member, wanted an object with a text 'text'",
         {"--vocab-size", "300", "--field", "text"},
         "{\"text\": \"some text\"}\n\n{\"txt\": \"\"}\n");
  fs::create_directory(scratch / "model");
  ASSERT_TRUE(write_file(scratch / "model/tokenizer.json", std::string_view("precious")));
  const Ran ran = run({"--vocab-size", "290"}, "some text, some text");
  EXPECT_EQ(ran.status, 73);
  EXPECT_THAT(ran.err, HasSubstr("overwrites nothing"));
  EXPECT_EQ(file_of(scratch / "model/tokenizer.json"), "precious");
}

}  // namespace
}  // namespace herd::cli
