#include "text/split.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "text/character_class.h"
#include "text/corpus_for_test.h"
#include "text/unicode_ranges.h"

namespace herd::text {
namespace {

std::vector<std::string> pieces_of(std::string_view text, Split split = Split::llama4) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = piece_end(text, at, split);
    pieces.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

std::vector<std::size_t> lengths_of(std::string_view text, Split split) {
  std::vector<std::size_t> lengths;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = piece_end(text, at, split);
    lengths.push_back(end - at);
    at = end;
  }
  return lengths;
}

using Pieces = std::vector<std::string>;

TEST(CharacterClass, AgreesWithTheReferenceOnEveryCodePoint) {
  std::vector<int> classes;
  for (char32_t c = 0; c < 0x110000; ++c) classes.push_back(class_of(c));
  EXPECT_EQ(testing::hash_of(classes), unicode_classes_hash);
  EXPECT_EQ(flags_of(0x110000), 0);
  EXPECT_EQ(flags_of(Character::not_a_character), 0);
}

TEST(Split, TakesLettersWithTheCharacterBeforeThem) {
  EXPECT_EQ(pieces_of("Hello, world!"), (Pieces{"Hello", ",", " world", "!"}));
  EXPECT_EQ(pieces_of("iPhone CamelCase"), (Pieces{"i", "Phone", " Camel", "Case"}));
  EXPECT_EQ(pieces_of("\tx(y)"), (Pieces{"\tx", "(y", ")"}));
}

TEST(Split, GivesBackCaselessLettersAndMarks) {
  EXPECT_EQ(pieces_of("AB\u00aaCD"), (Pieces{"AB\u00aa", "CD"}));
  EXPECT_EQ(pieces_of("\u0301ABC"),
            (Pieces{"\u0301", "ABC"}));  // not a prefix of ABC: see split.cc
  EXPECT_EQ(pieces_of("AB\u00aaCd"), (Pieces{"AB\u00aaCd"}));
}

TEST(Split, JoinsContractionsInAnyCaseAndTheLongS) {
  EXPECT_EQ(pieces_of("can't WON'T it'\u017f we'rex"),
            (Pieces{"can't", " WON'T", " it'\u017f", " we're", "x"}));
  EXPECT_EQ(pieces_of("a'rb 'tis"), (Pieces{"a", "'rb", " '", "tis"}));
}

TEST(Split, GroupsDigitsByThreeInEveryScript) {
  EXPECT_EQ(pieces_of("1234567"), (Pieces{"123", "456", "7"}));
  EXPECT_EQ(pieces_of("١٢٣٤½"), (Pieces{"١٢٣", "٤½"}));
}

TEST(Split, TakesDigitsOneByOneWhenAsked) {
  EXPECT_EQ(pieces_of("x 1234", Split::single_digits), (Pieces{"x", " ", "1", "2", "3", "4"}));
  EXPECT_EQ(pieces_of("١٢½th", Split::single_digits), (Pieces{"١", "٢", "½", "th"}));
  EXPECT_EQ(pieces_of("x 1234", Split::none), (Pieces{"x 1234"}));
}

TEST(Split, IsTheSameForThePartsOfASafeCut) {
  const testing::Corpus corpus(HERD_ROOT "/tests/data/text/corpus.json");
  testing::Draw draw(5);
  std::string text;
  for (std::size_t i = 0; i < 64; ++i) text += corpus.chunk(i);
  std::size_t cuts = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t from = begin + 1 + draw.below(400);
    const std::size_t end = safe_cut(text, from);
    ASSERT_TRUE(end >= from || end == text.size());
    // The part with all that follows, and by itself.
    const std::string_view part = std::string_view(text).substr(begin, end - begin);
    const std::string_view longer = std::string_view(text).substr(begin, end - begin + 100);
    for (const Split split : {Split::llama4, Split::single_digits}) {
      Pieces whole = pieces_of(longer, split);
      const Pieces alone = pieces_of(part, split);
      ASSERT_GE(whole.size(), alone.size());
      whole.resize(alone.size());
      ASSERT_EQ(whole, alone) << "cut at " << end;
    }
    ++cuts;
    begin = end;
  }
  EXPECT_GT(cuts, 150u);
  EXPECT_EQ(safe_cut("ab\ncd", 0), 0u);
  EXPECT_EQ(safe_cut("ab\ncd", 1), 3u);
  EXPECT_EQ(safe_cut("ab\ncd", 3), 3u);
  EXPECT_EQ(safe_cut("ab\ncd", 4), 5u);
  EXPECT_EQ(safe_cut("ab\n cd\n", 1), 7u);
}

TEST(Split, KeepsTheLastSpaceForTheNextWord) {
  EXPECT_EQ(pieces_of("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(pieces_of("a \n \n  b"), (Pieces{"a", " \n \n", " ", " b"}));
  EXPECT_EQ(pieces_of("a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(pieces_of("\u00a0\u00a0!"), (Pieces{"\u00a0", "\u00a0", "!"}));
}

TEST(Split, LetsNewlinesAndSlashesFollowPunctuation) {
  EXPECT_EQ(pieces_of("x = {'a': 1}/\n"), (Pieces{"x", " =", " {'", "a", "':", " ", "1", "}/\n"}));
  EXPECT_EQ(pieces_of("!/\r\n/a"), (Pieces{"!/\r\n/", "a"}));
}

TEST(Split, TreatsABadByteAsPunctuation) {
  EXPECT_EQ(pieces_of("a\xe2\x82z \xffz"), (Pieces{"a", "\xe2\x82", "z", " \xff", "z"}));
}

// Hashes of the reference's pieces of all strings of one to five characters.
void expect_short_strings(Split split, std::string_view column) {
  const json::value reference = *read_json(HERD_ROOT "/tests/data/text/expected.json");
  std::vector<std::string> alphabet;
  for (const auto& c : reference.at("short_alphabet").as_array())
    alphabet.emplace_back(c.as_string());
  const json::array& hashes = reference.at(column).as_array();
  ASSERT_EQ(hashes.size(), 5u);
  for (std::size_t length = 1; length <= hashes.size(); ++length) {
    std::vector<std::size_t> digits(length, 0);
    std::vector<std::size_t> lengths;
    for (bool more = true; more;) {
      std::string text;
      for (const std::size_t d : digits) text += alphabet[d];
      for (const std::size_t n : lengths_of(text, split)) lengths.push_back(n);
      std::size_t place = length;
      while (place > 0 && ++digits[place - 1] == alphabet.size()) digits[--place] = 0;
      more = place > 0;
    }
    EXPECT_EQ(fmt::format("{:016x}", testing::hash_of(lengths)), hashes[length - 1].as_string())
        << "strings of " << length;
  }
}

TEST(Split, AgreesWithTheReferenceOnAllShortStrings) {
  expect_short_strings(Split::llama4, "short");
  expect_short_strings(Split::single_digits, "short_singles");
}

// A bounded number of looks at each character, whatever the text; the reference engines are quadratic on some of these.
TEST(Split, LooksAtEachCharacterABoundedNumberOfTimes) {
  constexpr std::size_t size = 10'000'000;
  const std::vector<std::string> units{"a",
                                       "A",
                                       "\u00aa",
                                       "\u0301",
                                       "1",
                                       " ",
                                       "\n",
                                       "\t",
                                       "!",
                                       "/",
                                       "'",
                                       "\u00a0",
                                       "中",
                                       "\xff",
                                       "\xf0\x9f\x98",
                                       "Aa",
                                       "A\u00aa",
                                       "\u0301A",
                                       " a",
                                       "\n ",
                                       "  \n",
                                       "'s",
                                       "a'",
                                       "!\n",
                                       "A'LL",
                                       "\u00aaAAAAAAAA",
                                       " !",
                                       "🙂\u200d"};
  for (const std::string& unit : units) {
    const auto* p = octets_of(unit).data();
    std::size_t characters = 0;  // of one unit
    for (std::size_t at = 0; at < unit.size(); ++characters)
      at += character_at(p + at, p + unit.size()).size;
    std::string text;
    text.reserve(size + unit.size());
    for (; text.size() < size; text += unit) {
    }
    characters *= text.size() / unit.size();
    EXPECT_LE(split_work(text), 4 * characters) << "repeated: " << shown(unit);
  }
}

}  // namespace
}  // namespace herd::text
