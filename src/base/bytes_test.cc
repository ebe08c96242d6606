#include "base/bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace herd {
namespace {

TEST(Bytes, AreTheSameMemoryUnderThreeTypes) {
  const std::string text = "a\xff";
  const auto bytes = bytes_of(text);
  ASSERT_EQ(bytes.size(), 2u);
  EXPECT_EQ(bytes[1], std::byte{0xff});
  EXPECT_EQ(octets_of(text)[1], 255);
  EXPECT_EQ(octets_of(bytes)[1], 255);
  EXPECT_EQ(text_of(bytes), text);
  EXPECT_EQ(text_of(bytes).data(), text.data());
  EXPECT_EQ(text_of(octets_of(text)).data(), text.data());
}

TEST(Bytes, OfNothingAreNothing) {
  EXPECT_TRUE(bytes_of({}).empty());
  EXPECT_TRUE(octets_of(std::string_view()).empty());
  EXPECT_EQ(text_of(bytes_of({})), "");
}

}  // namespace
}  // namespace herd
