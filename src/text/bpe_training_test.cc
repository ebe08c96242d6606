#include "text/bpe_training.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "base/limits.h"
#include "text/byte_alphabet.h"
#include "text/corpus_for_test.h"
#include "text/llama4_tokens.h"
#include "text/tokenizer_for_test.h"

namespace herd::text {
namespace {

using testing::Corpus;
using testing::Draw;
using ::testing::HasSubstr;
using Merges = std::vector<std::pair<std::int32_t, std::int32_t>>;

const std::vector<std::string> begin_only{"<|begin_of_text|>"};

PieceCounts counts_of(const std::vector<std::string>& texts, Split split = Split::llama4) {
  PieceCounts counts(split);
  for (const std::string& text : texts) counts.add(text);
  return counts;
}

// `merges` merges at most, or fewer.
Result<TokenizerContent> train(const PieceCounts& counts, std::int64_t merges,
                               std::uint64_t min_frequency = 1) {
  return train_bpe(
      counts, {.vocabulary = 257 + merges, .specials = begin_only, .min_frequency = min_frequency});
}

// The definition: every pair of every piece counted anew for each merge.
Merges naive_merges(const PieceCounts& counts, std::size_t wanted, std::int64_t min_frequency) {
  std::array<std::int32_t, 256> ids{};
  for (std::int32_t id = 0; id < 256; ++id) ids[llama4_bytes()[static_cast<std::size_t>(id)]] = id;
  std::vector<std::vector<std::int32_t>> pieces(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i)
    for (const char c : counts.piece(i)) pieces[i].push_back(ids[static_cast<unsigned char>(c)]);
  Merges merges;
  while (merges.size() < wanted) {
    std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> frequency;
    for (std::size_t i = 0; i < pieces.size(); ++i)
      for (std::size_t k = 0; k + 1 < pieces[i].size(); ++k)
        frequency[{pieces[i][k], pieces[i][k + 1]}] += static_cast<std::int64_t>(counts.count(i));
    auto best = frequency.begin();  // of equals the first is the smallest
    for (auto it = frequency.begin(); it != frequency.end(); ++it)
      if (it->second > best->second) best = it;
    if (best == frequency.end() || best->second < min_frequency) break;
    const auto [left, right] = best->first;
    for (auto& piece : pieces)
      for (std::size_t k = 0; k + 1 < piece.size(); ++k)
        if (piece[k] == left && piece[k + 1] == right) {
          piece[k] = static_cast<std::int32_t>(256 + merges.size());
          piece.erase(piece.begin() + static_cast<std::ptrdiff_t>(k) + 1);
        }
    merges.emplace_back(left, right);
  }
  return merges;
}

TEST(BpeTraining, TakesTheMostFrequentPairAndOfEqualsTheSmaller) {
  PieceCounts counts(Split::llama4);
  counts.add_piece("hug", 10);
  counts.add_piece("pug", 5);
  counts.add_piece("pun", 12);
  counts.add_piece("bun", 4);
  counts.add_piece("hugs", 5);
  const auto trained = train(counts, 3);
  ASSERT_TRUE(trained) << to_string(trained.error());
  // ug 20, then un 16, then hug 15; "pun" has 12, "bun" 4.
  EXPECT_EQ((std::vector<std::string>(trained->tokens.begin() + 256, trained->tokens.end())),
            (std::vector<std::string>{"ug", "un", "hug"}));
  PieceCounts equals(Split::llama4);
  for (const char* piece : {"zy", "ab", "ba", "aa"}) equals.add_piece(piece, 7);
  const auto tied = train(equals, 4);
  ASSERT_TRUE(tied) << to_string(tied.error());
  EXPECT_EQ((std::vector<std::string>(tied->tokens.begin() + 256, tied->tokens.end())),
            (std::vector<std::string>{"aa", "ab", "ba", "zy"}));
}

// Few letters and long pieces: runs, overlaps and pairs that follow themselves are the rule.
TEST(BpeTraining, AgreesWithTheDefinitionOnRandomPieces) {
  Draw draw(11);
  for (int round = 0; round < 300; ++round) {
    PieceCounts counts(Split::llama4);
    const std::uint64_t letters = 1 + draw.below(5);
    for (std::uint64_t pieces = 1 + draw.below(12); pieces > 0; --pieces) {
      std::string piece;
      for (std::uint64_t n = 1 + draw.below(24); n > 0; --n)
        piece += static_cast<char>('a' + draw.below(letters));
      counts.add_piece(piece, 1 + draw.below(4));
    }
    const auto frequency = static_cast<std::int64_t>(1 + draw.below(3));
    const Merges expected = naive_merges(counts, 40, frequency);
    const auto trained = train(counts, static_cast<std::int64_t>(expected.size()),
                               static_cast<std::uint64_t>(frequency));
    ASSERT_TRUE(trained) << to_string(trained.error());
    ASSERT_EQ(trained->merges, expected) << "round " << round;
    const auto one_more = train(counts, static_cast<std::int64_t>(expected.size()) + 1,
                                static_cast<std::uint64_t>(frequency));
    ASSERT_TRUE(expected.size() == 40 || !one_more) << "more merges than there are";
  }
}

TEST(BpeTraining, AgreesWithTheDefinitionOnText) {
  const Corpus corpus(HERD_ROOT "/tests/data/text/corpus.json");
  const PieceCounts counts = counts_of({corpus.chunk(0), corpus.chunk(7), corpus.chunk(15)});
  const auto trained = train(counts, 300, 2);
  ASSERT_TRUE(trained) << to_string(trained.error());
  EXPECT_EQ(trained->merges, naive_merges(counts, 300, 2));
}

// tests/data/text/tokenizer.json was trained by Hugging Face's library from the corpus (tools/reference/make_text.py).
TEST(BpeTraining, ChoosesTheMergesOfTheReferenceTrainer) {
  const Corpus corpus(HERD_ROOT "/tests/data/text/corpus.json");
  PieceCounts counts(Split::llama4);
  for (std::size_t i = 0; i < Corpus::chunks; ++i)
    if (!Corpus::has_invalid(i)) counts.add(corpus.chunk(i));
  const json::value reference = *parse_json(testing::small_file());
  const json::array& expected = reference.at("model").at("merges").as_array();
  const auto trained = train(counts, static_cast<std::int64_t>(expected.size()));
  ASSERT_TRUE(trained) << to_string(trained.error());
  ASSERT_EQ(expected.size(), 2716u);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto [left, right] = trained->merges[i];
    EXPECT_EQ(in_alphabet(trained->tokens[static_cast<std::size_t>(left)]),
              std::string(expected[i].at(0).as_string()))
        << "merge " << i;
    EXPECT_EQ(in_alphabet(trained->tokens[static_cast<std::size_t>(right)]),
              std::string(expected[i].at(1).as_string()))
        << "merge " << i;
  }
}

TEST(BpeTraining, IsTheSameAtAnyNumberOfThreads) {
  const Corpus corpus(HERD_ROOT "/tests/data/text/corpus.json");
  std::optional<std::string> expected;
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    const PieceCounts counts =
        count_pieces(64, Split::single_digits, pool, [&](std::int64_t item, PieceCounts& into) {
          into.add(corpus.chunk(static_cast<std::size_t>(item)));
        });
    const auto trained = train(counts, 1000, 2);
    ASSERT_TRUE(trained) << to_string(trained.error());
    const std::string file = tokenizer_json(*trained);
    if (!expected) expected = file;
    EXPECT_EQ(file, *expected) << threads << " threads";
  }
}

TEST(BpeTraining, BoundsATokensLength) {
  PieceCounts counts(Split::none);
  counts.add(std::string(100'000, 'x'));
  const auto trained = train(counts, 14);
  ASSERT_TRUE(trained) << to_string(trained.error());
  EXPECT_EQ(trained->tokens.back().size(), limits::token_bytes_max);
  const auto more = train(counts, 200);
  ASSERT_FALSE(more);
  EXPECT_THAT(more.error().message, HasSubstr("the text is too small for a vocabulary of 457"));
}

TEST(BpeTraining, RefusesVocabulariesThatCannotBe) {
  const PieceCounts counts = counts_of({"to be or not to be"});
  const auto with = [&](std::int64_t vocabulary) {
    return train_bpe(counts, {.vocabulary = vocabulary, .specials = llama4_short_special_tokens()});
  };
  EXPECT_TRUE(with(288));
  const auto small = with(287);
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().code, Code::out_of_range);
  EXPECT_EQ(small.error().message,
            "a vocabulary of 287 is too small: 256 bytes and 32 special tokens need 288");
  ASSERT_FALSE(with((1 << 21) + 1));
  EXPECT_THAT(with((1 << 21) + 1).error().message, HasSubstr("is too large"));
  // " be" is there once, "to" once at the beginning, " to" once: pairs of frequency 2 are "to" and "be".
  const auto many = with(1000);
  ASSERT_FALSE(many);
  EXPECT_THAT(many.error().message, HasSubstr("it is good for "));
  EXPECT_FALSE(train(PieceCounts(Split::llama4), 1));
}

TEST(BpeTraining, TellsOfEveryTokenItMakes) {
  const Corpus corpus(HERD_ROOT "/tests/data/text/corpus.json");
  const PieceCounts counts = counts_of({corpus.chunk(0)});
  std::uint64_t told = 0;
  ASSERT_TRUE(train_bpe(counts, {.vocabulary = 557, .specials = begin_only},
                        [&](std::uint64_t tokens) { told += tokens; }));
  EXPECT_EQ(told, 300u);
}

TEST(PieceCounts, CountsEveryPieceOfEveryText) {
  const PieceCounts counts = counts_of({"to be or not to be", "be 12"}, Split::single_digits);
  std::map<std::string, std::uint64_t> found;
  for (std::size_t i = 0; i < counts.size(); ++i) found.emplace(counts.piece(i), counts.count(i));
  EXPECT_EQ(found, (std::map<std::string, std::uint64_t>{{"to", 1},
                                                         {" be", 2},
                                                         {" or", 1},
                                                         {" not", 1},
                                                         {" to", 1},
                                                         {"be", 1},
                                                         {" ", 1},
                                                         {"1", 1},
                                                         {"2", 1}}));
  EXPECT_EQ(counts.bytes(), 23u);
}

TEST(PieceCounts, KeepsItsCountsWhenItGrows) {
  PieceCounts counts(Split::llama4), other(Split::llama4);
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 20'000; ++i)
      (i % 2 == 0 ? counts : other).add_piece(fmt::format("p{}", i), 2);
  counts.add(other);
  ASSERT_EQ(counts.size(), 20'000u);
  for (std::size_t i = 0; i < counts.size(); ++i) ASSERT_EQ(counts.count(i), 6u) << counts.piece(i);
}

}  // namespace
}  // namespace herd::text
