#include "train/shard.h"

#include <gtest/gtest.h>

#include <functional>

#include "llama4/load.h"
#include "train/make_shards.h"
#include "train/text_source.h"

namespace herd::train {
namespace {

const fs::path cria = fs::path(HERD_ROOT) / "models/cria";

const engine::Bundle& bundle() {
  static const engine::Bundle opened =
      engine::Bundle::open(cria, llama4::read_config(cria).value()).value();
  return opened;
}

fs::path fresh(const char* name) {
  fs::path directory = fs::path(::testing::TempDir()) / name;
  fs::remove_all(directory);
  fs::create_directories(directory);
  return directory;
}

ShardContent two_documents() {
  ShardContent content;
  content.add({5, 6, 7}, std::vector(3, TokenRole::document));
  content.add({8, 9}, std::vector{TokenRole::read, TokenRole::said});
  return content;
}

TEST(Shard, HoldsWhatWasWritten) {
  const fs::path path = fresh("holds") / "a.tokens";
  for (const std::int64_t vocabulary : {1000, 1 << 16, (1 << 16) + 1}) {
    ASSERT_TRUE(write_shard(path, two_documents(), vocabulary, 77));
    const bool is_short = vocabulary <= 1 << 16;
    EXPECT_EQ(fs::file_size(path), 64u + 3 * 8 + 5 * (is_short ? 2 : 4) + 5);
    const auto shard = Shard::open(path, vocabulary, 77);
    ASSERT_TRUE(shard) << to_string(shard.error());
    EXPECT_EQ(shard->documents(), 2u);
    EXPECT_EQ(shard->begin(1), 3u);
    EXPECT_EQ(shard->begin(2), 5u);
    EXPECT_EQ(shard->token(4), 9);
    EXPECT_EQ(shard->role(2), TokenRole::document);
    EXPECT_EQ(shard->role(4), TokenRole::said);
  }
}

TEST(Shard, NamesWhatIsWrong) {
  const fs::path path = fresh("wrong") / "a.tokens";
  constexpr std::size_t offsets = 64, tokens = 64 + 24, roles = tokens + 10;
  const struct {
    const char* part;
    Code code;
    std::function<void(std::string&)> damage;
  } cases[] = {
      {"no file of tokens", Code::bad_magic, [](std::string& file) { file[0] = 'H'; }},
      {"no file of tokens", Code::bad_magic, [](std::string& file) { file.resize(63); }},
      {"of version 2", Code::bad_header, [](std::string& file) { file[8] = 2; }},
      {"3 bytes a token", Code::bad_header, [](std::string& file) { file[12] = 3; }},
      {"it is cut off", Code::bad_header, [](std::string& file) { file.pop_back(); }},
      {"104 bytes", Code::bad_header, [](std::string& file) { file += 'x'; }},
      {"documents", Code::bad_header, [](std::string& file) { file[39] = '\x7f'; }},
      {"another tokenizer", Code::tokenizer_invalid, [](std::string& file) { file[24] = 0; }},
      {"document 0 begins at token 1", Code::bad_header,
       [](std::string& file) { file[offsets] = 1; }},
      {"document 1 begins at token 0", Code::bad_header,
       [](std::string& file) { file[offsets + 8] = 0; }},
      {"document 1 begins at token 6", Code::bad_header,
       [](std::string& file) { file[offsets + 8] = 6; }},
      {"end at token 4 of 5", Code::bad_header, [](std::string& file) { file[offsets + 16] = 4; }},
      {"token 1 at byte 90 is 1000, but the model's vocabulary is 1000", Code::shard_token_invalid,
       [](std::string& file) {
         file[tokens + 2] = static_cast<char>(1000 & 255);
         file[tokens + 3] = 1000 >> 8;
       }},
      {"token 0 has the role 4", Code::bad_header, [](std::string& file) { file[roles] = 4; }},
      {"damaged", Code::bad_header, [](std::string& file) { file[tokens] ^= 1; }},
  };
  for (const auto& [part, code, damage] : cases) {
    ASSERT_TRUE(write_shard(path, two_documents(), 1000, 77));
    std::string file = read_file(path, 1 << 20).value();
    damage(file);
    ASSERT_TRUE(write_file(path, std::string_view(file)));
    const auto shard = Shard::open(path, 1000, 77);
    ASSERT_FALSE(shard) << part;
    EXPECT_EQ(shard.error().code, code) << part << ": " << shard.error().message;
    EXPECT_NE(shard.error().message.find(part), std::string::npos) << shard.error().message;
    EXPECT_NE(shard.error().message.find("a.tokens"), std::string::npos);
  }
}

// A file of shards teaches what the files that it was made from teach.
TEST(ShardSource, GivesWhatItsTextsAndConversationsWouldGive) {
  const fs::path scratch = fresh("equal");
  std::string book;
  for (int i = 0; i < 60; ++i) book += fmt::format("Line {} of a long text.\n", i);
  ASSERT_TRUE(write_file(scratch / "book.txt", std::string_view(book)));
  std::string chats;
  for (int i = 0; i < 9; ++i)
    chats += fmt::format(R"({{"messages": [{{"role": "user", "content": "{0}?"}}, )"
                         R"({{"role": "assistant", "content": "{0}!"}}]}})"
                         "\n",
                         i);
  chats += "{\"text\": \"a text among them\"}\n";
  ASSERT_TRUE(write_file(scratch / "chats.jsonl", std::string_view(chats)));
  const auto totals =
      make_shards(bundle(), {scratch / "book.txt", scratch / "chats.jsonl"}, scratch / "out", 100);
  ASSERT_TRUE(totals) << to_string(totals.error());
  EXPECT_EQ(totals->documents, 11u);
  EXPECT_GT(totals->files, 1u);

  const Weights weights{.prompt = 0.125f, .document = 0.75f};
  const auto shards = ShardSource::open(bundle(), scratch / "out", 1, weights, 50);
  ASSERT_TRUE(shards) << to_string(shards.error());
  const auto texts = TextSource::open(bundle(), scratch / "book.txt", 1, weights.document, 50);
  const auto lines = JsonLinesSource::open(bundle(), scratch / "chats.jsonl", 1, weights);
  ASSERT_EQ((*shards)->examples(), (*texts)->examples() + (*lines)->examples());
  for (std::size_t i = 0; i < (*shards)->examples(); ++i) {
    const Example found = (*shards)->example(i);
    const bool is_text = i < (*texts)->examples();
    const Example wanted =
        is_text ? (*texts)->example(i) : (*lines)->example(i - (*texts)->examples());
    EXPECT_EQ(found.prompt.tokens, wanted.prompt.tokens) << i;
    EXPECT_EQ(found.weight, wanted.weight) << i;
    EXPECT_EQ(found.is_document, wanted.is_document) << i;
  }
  const auto again = make_shards(bundle(), {scratch / "book.txt"}, scratch / "out", 100);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::cannot_create);
}

TEST(MakeShards, RefusesPictures) {
  const fs::path scratch = fresh("pictures");
  const std::string line =
      R"({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": ")" +
      (fs::path(HERD_ROOT) / "tests/data/images/jpeg_16384x1.jpg").string() +
      R"("}}]}, {"role": "assistant", "content": "!"}]})";
  ASSERT_TRUE(write_file(scratch / "seen.jsonl", std::string_view(line)));
  const auto totals = make_shards(bundle(), {scratch / "seen.jsonl"}, scratch / "out", 100);
  ASSERT_FALSE(totals);
  EXPECT_NE(totals.error().message.find("line 1 has a picture"), std::string::npos)
      << totals.error().message;
}

}  // namespace
}  // namespace herd::train
