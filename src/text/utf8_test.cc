#include "text/utf8.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "text/corpus_for_test.h"

namespace herd::text {
namespace {

json::value expected() { return *read_json(HERD_ROOT "/tests/data/text/expected.json"); }

TEST(Utf8, ReadsEveryScalarValueAndNothingElse) {
  for (std::uint32_t c = 0; c < 0x110000; ++c) {
    std::string bytes;
    testing::put(bytes, c);
    const auto* p = octets_of(bytes).data();
    const Character read = character_at(p, p + bytes.size());
    if (c >= 0xD800 && c < 0xE000) {
      ASSERT_EQ(read.code_point, Character::not_a_character);
      ASSERT_EQ(read.size, 1u);
      continue;
    }
    ASSERT_EQ(std::uint32_t{read.code_point}, c);
    ASSERT_EQ(read.size, bytes.size());
    for (std::size_t cut = 1; cut < bytes.size(); ++cut)
      ASSERT_EQ(character_at(p, p + cut).code_point, Character::not_a_character);
  }
}

TEST(Utf8, NamesTheFirstBadByte) {
  EXPECT_EQ(first_invalid_utf8("caf\u00e9"), std::nullopt);
  EXPECT_EQ(first_invalid_utf8(""), std::nullopt);
  EXPECT_EQ(first_invalid_utf8("caf\xc3"), 3u);
  EXPECT_EQ(first_invalid_utf8("a\xed\xa0\x80"), 1u);     // a surrogate
  EXPECT_EQ(first_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // past U+10FFFF
  EXPECT_EQ(first_invalid_utf8("ab\xc0\xaf"), 2u);        // overlong
}

TEST(Utf8, ReplacesBadBytesAsPythonDoes) {
  const json::value reference = expected();
  const json::array& bad = reference.at("bad_bytes").as_array();
  const json::array& hashes = reference.at("replaced").as_array();
  ASSERT_EQ(hashes.size(), 64u);
  for (std::size_t stream = 0; stream < hashes.size(); ++stream) {
    testing::Draw draw(1000 + stream);
    std::string bytes;
    for (int i = 0; i < 200; ++i)
      bytes += static_cast<char>(bad[draw.below(bad.size())].to_number<int>());
    const std::string replaced = replace_invalid_utf8(bytes);
    EXPECT_EQ(fmt::format("{:016x}", testing::hash_of(replaced)), hashes[stream].as_string());
    EXPECT_EQ(first_invalid_utf8(replaced), std::nullopt);
  }
}

TEST(Utf8, HoldsBackOnlyWhatCanStillBecomeACharacter) {
  EXPECT_EQ(incomplete_tail(""), 0u);
  EXPECT_EQ(incomplete_tail("abc"), 0u);
  EXPECT_EQ(incomplete_tail("a\xf0"), 1u);
  EXPECT_EQ(incomplete_tail("a\xf0\x9f"), 2u);
  EXPECT_EQ(incomplete_tail("a\xf0\x9f\x98"), 3u);
  EXPECT_EQ(incomplete_tail("a\xf0\x9f\x98\x80"), 0u);
  EXPECT_EQ(incomplete_tail("a\xe2\x82"), 2u);
  EXPECT_EQ(incomplete_tail("a\xe2\x82\xac"), 0u);
  EXPECT_EQ(incomplete_tail("a\xed\xa0"), 0u);  // a surrogate cannot be completed
  EXPECT_EQ(incomplete_tail("a\x80\x80\x80"), 0u);
  EXPECT_EQ(incomplete_tail("a\xf5"), 0u);
}

}  // namespace
}  // namespace herd::text
