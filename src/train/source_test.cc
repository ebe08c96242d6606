#include "train/source.h"

#include <gtest/gtest.h>

#include <set>

#include "base/base64.h"
#include "llama4/load.h"
#include "train/packing.h"
#include "train/render.h"

namespace herd::train {
namespace {

const fs::path cria = fs::path(HERD_ROOT) / "models/cria";

const engine::Bundle& bundle() {
  static const engine::Bundle opened =
      engine::Bundle::open(cria, llama4::read_config(cria).value()).value();
  return opened;
}

fs::path write_lines(const std::string& name, const std::string& text) {
  const fs::path path = fs::path(::testing::TempDir()) / name;
  EXPECT_TRUE(write_file(path, std::string_view(text)));
  return path;
}

// The text of the tokens with a weight.
std::string learned(const Example& example) {
  std::vector<std::int32_t> tokens;
  for (std::size_t i = 0; i < example.weight.size(); ++i)
    if (example.weight[i] == 1) tokens.push_back(example.prompt.tokens[i]);
  return bundle().tokenizer.decode(tokens, false);
}

TEST(ExampleOfChat, WeighsWhatTheAssistantSaysAndItsEndOfTurn) {
  const fs::path path = write_lines("chat.jsonl",
                                    R"({"messages": [{"role": "system", "content": "Be short."},
 {"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."},
 {"role": "user", "content": "Three?"}, {"role": "assistant", "content": "Four."}]})"
                                    "\n");
  std::string text = read_file(path, 1 << 20).value();
  std::erase(text, '\n');
  const auto source = JsonLinesSource::open(bundle(), write_lines("again.jsonl", text), 1, {});
  ASSERT_TRUE(source) << to_string(source.error());
  EXPECT_EQ(learned((*source)->at(0).value()), "Two.<|eot|>Four.<|eot|>");
}

TEST(ExampleOfSample, LeavesPicturesOutOfWhatIsLearned) {
  for (std::uint64_t index = 0; index < 20; ++index) {
    const world::Sample sample =
        world::make_sample(*world::find_task("shapes"), 1, index, world::Split::train);
    const Example example = example_of_sample(bundle(), sample, {.prompt = 0.5f}).value();
    ASSERT_FALSE(example.prompt.patches.empty());
    for (const std::int64_t patch : example.prompt.patches) {
      EXPECT_EQ(example.prompt.tokens[static_cast<std::size_t>(patch)],
                bundle().config.image_token);
      EXPECT_EQ(example.weight[static_cast<std::size_t>(patch)], 0);
    }
    EXPECT_NE(learned(example).find(sample.expected), std::string::npos);
  }
}

TEST(JsonLinesSource, NamesEveryBadLine) {
  const auto source = JsonLinesSource::open(
      bundle(), write_lines("bad.jsonl", "{\"text\": \"fine\"}\n{\"text\": }\n\n{\"a\": 1}\n"), 1,
      {});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Code::training_data_invalid);
  for (const char* part : {"2 of 4 lines", "line 2:", "line 4:", "neither \"text\" nor"})
    EXPECT_NE(source.error().message.find(part), std::string::npos) << source.error().message;
}

// As chat requests have them, and as files beside the lines.
TEST(JsonLinesSource, TakesPicturesInTheLineItself) {
  // One dark pixel.
  constexpr std::string_view png =
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGPgEpEDAABoAD1UCKP3AAAAAElFTkSuQmC"
      "C";
  const auto line_with = [](std::string_view picture) {
    return fmt::format(
        R"({{"messages": [{{"role": "user", "content": [{{"type": "image_url", "image_url": )"
        R"({{"url": "{}"}}}}, {{"type": "text", "text": "What?"}}]}}, )"
        R"({{"role": "assistant", "content": "A dot."}}]}})"
        "\n",
        picture);
  };
  const auto open = [&](const std::string& picture) {
    return JsonLinesSource::open(bundle(), write_lines("pictures.jsonl", line_with(picture)), 1,
                                 {});
  };
  const auto inside = open(fmt::format("data:image/png;base64,{}", png));
  ASSERT_TRUE(inside) << to_string(inside.error());
  const Example example = (*inside)->at(0).value();
  ASSERT_EQ(example.prompt.pictures.size(), 1u);
  EXPECT_EQ(learned(example), "A dot.<|eot|>");
  const Base64 bytes = decode_base64(png);
  ASSERT_FALSE(bytes.bad_at);
  ASSERT_TRUE(write_file(fs::path(::testing::TempDir()) / "dot.png",
                         std::span<const std::byte>(bytes.bytes)));
  const auto beside = open("dot.png");
  ASSERT_TRUE(beside) << to_string(beside.error());
  EXPECT_EQ((*beside)->at(0).value().prompt.tokens, example.prompt.tokens);
  for (const auto& [picture, says] : {std::pair{"data:image/png;base64,iVB*", "offset 3 of 4"},
                                      {"data:image/png,abc", "wanted data:image/png;base64"},
                                      {"https://example.org/a.png", "no addresses are opened"}}) {
    const auto bad = open(picture);
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error().message.find(says), std::string::npos) << bad.error().message;
  }
}

TEST(JsonLinesSource, RefusesAnEmptyFile) {
  const auto source = JsonLinesSource::open(bundle(), write_lines("empty.jsonl", "\n\n"), 1, {});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Code::training_data_invalid);
}

TEST(JsonLinesSource, ShufflesEachTimeRound) {
  std::string text = "\xef\xbb\xbf";  // a byte order mark is no part of the first line
  for (int i = 0; i < 20; ++i) text += fmt::format("{{\"text\": \"number {}\"}}\r\n", i);
  const auto source = JsonLinesSource::open(bundle(), write_lines("many.jsonl", text), 1, {});
  ASSERT_TRUE(source) << to_string(source.error());
  std::vector<std::vector<std::int32_t>> rounds[2];
  for (std::uint64_t i = 0; i < 40; ++i)
    rounds[i / 20].push_back((*source)->at(i).value().prompt.tokens);
  EXPECT_NE(rounds[0], rounds[1]);
  EXPECT_EQ(std::set(rounds[0].begin(), rounds[0].end()),
            std::set(rounds[1].begin(), rounds[1].end()));
}

TEST(Pack, FillsPiecesInOrderAndSaysWhereItStopped) {
  const WorldSource source(bundle(), {.tasks = {world::find_task("language")}}, 1, {});
  const PackingOptions options{.step_tokens = 3000, .piece_tokens = 500, .length_max = 400};
  const Step step = pack(source, 7, options).value();
  std::uint64_t index = 7;
  std::int64_t tokens = 0;
  for (const std::vector<Example>& piece : step.pieces) {
    std::int64_t in_piece = 0;
    for (const Example& example : piece) {
      while (source.at(index).value().prompt.tokens != example.prompt.tokens)
        ASSERT_LT(++index, 1000u);
      in_piece += static_cast<std::int64_t>(example.prompt.tokens.size());
    }
    EXPECT_LE(in_piece, 500);
    tokens += in_piece;
  }
  EXPECT_EQ(index + 1, step.next);
  EXPECT_EQ(tokens, step.tokens);
  EXPECT_GE(tokens, 3000);
  EXPECT_GT(step.weight, 0);
}

TEST(Pack, StopsWhenNothingCanBeLearned) {
  const WorldSource source(bundle(), {.tasks = {world::find_task("chat")}}, 1, {});
  const auto step = pack(source, 0, {.step_tokens = 3000, .piece_tokens = 500, .length_max = 3});
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code, Code::nothing_to_learn);
}

}  // namespace
}  // namespace herd::train
