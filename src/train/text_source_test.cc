#include "train/text_source.h"

#include <gtest/gtest.h>

#include "llama4/load.h"

namespace herd::train {
namespace {

const fs::path cria = fs::path(HERD_ROOT) / "models/cria";

const engine::Bundle& bundle() {
  static const engine::Bundle opened =
      engine::Bundle::open(cria, llama4::read_config(cria).value()).value();
  return opened;
}

fs::path write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  EXPECT_TRUE(write_file(path, std::string_view(text)));
  return path;
}

fs::path fresh(const char* name) {
  const fs::path directory = fs::path(::testing::TempDir()) / name;
  fs::remove_all(directory);
  return directory;
}

TEST(DocumentsOf, EndAtLinesThatSaySo) {
  const std::vector<std::string_view> wanted{"one\n\ntwo\n", "three <|endoftext|> four\r\n",
                                             "five"};
  EXPECT_EQ(
      documents_of("one\n\ntwo\n<|endoftext|>\nthree <|endoftext|> four\r\n<|end_of_text|>\r\n"
                   "  \n<|endoftext|>\nfive"),
      wanted);
  EXPECT_EQ(documents_of("").size(), 0u);
}

TEST(TextSource, CutsDocumentsSoThatEveryTokenIsPredictedOnce) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += fmt::format("Sentence number {} of the book. ", i);
  const fs::path path = write_text(fresh("cuts") / "book.txt", text);
  constexpr std::int64_t length_max = 64;
  const auto source = TextSource::open(bundle(), path, 1, 0.25f, length_max);
  ASSERT_TRUE(source) << to_string(source.error());
  std::vector<std::int32_t> joined;
  for (std::size_t i = 0; i < (*source)->examples(); ++i) {
    const Example piece = (*source)->example(i);
    ASSERT_LE(piece.prompt.tokens.size(), 64u);
    ASSERT_GE(piece.prompt.tokens.size(), 2u);
    EXPECT_TRUE(piece.is_document);
    EXPECT_EQ(piece.weight, std::vector<float>(piece.prompt.tokens.size(), 0.25f));
    if (i > 0) {
      EXPECT_EQ(joined.back(), piece.prompt.tokens.front());
      joined.pop_back();
    }
    joined.insert(joined.end(), piece.prompt.tokens.begin(), piece.prompt.tokens.end());
  }
  std::vector<std::int32_t> whole = bundle().raw_prompt(text).tokens;
  whole.push_back(*bundle().tokenizer.special("<|end_of_text|>"));
  EXPECT_EQ(joined, whole);
  EXPECT_EQ((*source)->round(length_max).left_out.size(), 0u);
}

TEST(TextSource, ADirectoryIsAllItsTexts) {
  const fs::path directory = fresh("texts");
  write_text(directory / "b.md", "second");
  write_text(directory / "a.txt",
             "\xef\xbb\xbf"
             "first\n<|endoftext|>\nalso");
  write_text(directory / "deep/c.txt", "third");
  write_text(directory / "d.csv", "no text");
  const auto source = TextSource::open(bundle(), directory, 1, 1, 100);
  ASSERT_TRUE(source) << to_string(source.error());
  std::vector<std::string> found;
  for (std::size_t i = 0; i < (*source)->examples(); ++i)
    found.push_back(bundle().tokenizer.decode((*source)->example(i).prompt.tokens, true));
  EXPECT_EQ(found, (std::vector<std::string>{"first\n", "also", "second", "third"}));
  EXPECT_EQ((*source)->place(2), "piece 3 of " + (directory / "b.md").string());
}

TEST(TextSource, NamesTheLineThatIsNoUtf8) {
  const fs::path path = write_text(fresh("latin") / "old.txt", "one\ntwo\nM\xfcnchen\n");
  const auto source = TextSource::open(bundle(), path, 1, 1, 100);
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Code::invalid_utf8);
  EXPECT_NE(source.error().message.find("old.txt: line 3 has the byte 0xfc"), std::string::npos)
      << source.error().message;
}

TEST(TextSource, RefusesWhatHasNoText) {
  const auto code_of = [](const fs::path& path) {
    const auto source = TextSource::open(bundle(), path, 1, 1, 100);
    return source ? Code::internal : source.error().code;
  };
  const fs::path directory = fresh("nothing");
  EXPECT_EQ(code_of(directory), Code::missing_input);
  fs::create_directories(directory);
  EXPECT_EQ(code_of(directory), Code::training_data_invalid);
  EXPECT_EQ(code_of(write_text(directory / "blank.txt", " \n\n")), Code::training_data_invalid);
}

}  // namespace
}  // namespace herd::train
