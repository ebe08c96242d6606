#include "text/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "text/corpus_for_test.h"
#include "text/tokenizer_for_test.h"

namespace herd::text {
namespace {

using Ids = std::vector<std::int32_t>;

Ids encoded(const Vocabulary& vocabulary, const MergeTable& merges, std::string_view piece) {
  Ids ids;
  encode_piece(vocabulary, merges, piece, ids);
  return ids;
}

Ids by_definition(const Vocabulary& vocabulary, const MergeTable& merges, std::string_view piece) {
  Ids ids;
  encode_piece_naive(vocabulary, merges, piece, ids);
  return ids;
}

// A tokenizer nobody trained: tokens joined at random, merges in random order, several merges into one token. The
// sewing of windows must be exact for any of them.
struct Wild {
  Vocabulary vocabulary;
  MergeTable merges;

  explicit Wild(testing::Draw& draw) {
    std::vector<TokenEntry> entries;
    std::vector<std::string> words;
    for (int byte = 0; byte < 256; ++byte)
      entries.push_back(
          {.id = byte, .bytes = std::string(1, static_cast<char>(byte)), .where = ""});
    for (char c = 'a'; c < 'd'; ++c) words.emplace_back(1, c);
    const std::size_t count = 3 + draw.below(40);
    while (words.size() < count) {
      std::string word = draw.of(words) + draw.of(words);
      if (std::find(words.begin(), words.end(), word) != words.end()) break;
      entries.push_back(
          {.id = static_cast<std::int64_t>(entries.size()), .bytes = word, .where = ""});
      words.push_back(std::move(word));
    }
    vocabulary = *Vocabulary::build(entries);
    std::vector<Merge> list;
    for (const auto& left : words)
      for (const auto& right : words)
        if (const auto token = vocabulary.find(left + right); token >= 0 && draw.below(8) != 0)
          list.push_back({vocabulary.find(left), vocabulary.find(right), token, 0});
    for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[draw.below(i)]);
    const bool ties = draw.below(2) == 0;
    for (std::size_t i = 0; i < list.size(); ++i)
      list[i].rank =
          ties ? static_cast<std::uint32_t>(list[i].token) : static_cast<std::uint32_t>(i);
    merges = *MergeTable::build(list, vocabulary);
  }
};

TEST(Bpe, AgreesWithTheDefinitionForAnyMerges) {
  testing::Draw draw(1);
  for (int round = 0; round < 400; ++round) {
    const Wild wild(draw);
    std::string piece;
    const std::uint64_t letters = 1 + draw.below(3);
    for (std::uint64_t n = 1 + draw.below(1500); n > 0; --n)
      piece += static_cast<char>('a' + draw.below(letters));
    ASSERT_EQ(encoded(wild.vocabulary, wild.merges, piece),
              by_definition(wild.vocabulary, wild.merges, piece))
        << "round " << round;
  }
}

TEST(Bpe, AgreesWithTheDefinitionAroundTheWindow) {
  const Tokenizer& tokenizer = testing::small_tokenizer();
  for (const std::string unit : {"a", "ab", "the", " ", "=", "ÿ", "日本", "\xff"}) {
    std::string piece;
    while (piece.size() < 1100) piece += unit;
    for (const std::size_t size : {1u, 2u, 255u, 256u, 257u, 511u, 512u, 513u, 1024u, 1100u}) {
      const auto part = std::string_view(piece).substr(0, size);
      ASSERT_EQ(encoded(tokenizer.vocabulary(), tokenizer.merges(), part),
                by_definition(tokenizer.vocabulary(), tokenizer.merges(), part))
          << unit << " x " << size;
    }
  }
}

// 10 MB of one class are one piece; what is encoded twice at the seams stays a fraction.
TEST(Bpe, EncodesEachByteOfALongPieceABoundedNumberOfTimes) {
  const Tokenizer& tokenizer = testing::small_tokenizer();
  testing::Draw draw(2);
  const std::vector<std::string> alphabets{"a", "ab", "abcdefghijklmnopqrstuvwxyz",
                                           " ", "=-", "\xff\xfe"};
  for (const std::string& alphabet : alphabets) {
    std::string piece(10'000'000, alphabet[0]);
    if (alphabet.size() > 1)
      for (char& c : piece) c = alphabet[draw.below(alphabet.size())];
    Ids ids;
    std::uint64_t work = 0;
    encode_piece(tokenizer.vocabulary(), tokenizer.merges(), piece, ids, &work);
    EXPECT_EQ(tokenizer.decode(ids, false), piece);
    EXPECT_LE(work, 2 * piece.size()) << shown(alphabet);
  }
}

}  // namespace
}  // namespace herd::text
