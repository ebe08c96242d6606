#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace herd {
namespace {

// The check value of the CRC catalogue, and the examples of RFC 3720, appendix B.4.
TEST(Crc32c, AgreesWithThePublishedExamples) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(crc32c(rising), 0x46dd794eu);
}

}  // namespace
}  // namespace herd
