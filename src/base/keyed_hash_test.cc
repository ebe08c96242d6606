#include "base/keyed_hash.h"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

namespace herd {
namespace {

// Key and messages of the paper's appendix and of its authors' test vectors: bytes 0, 1, 2, ...
constexpr HashKey key{0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};

std::vector<std::uint8_t> counting(std::size_t length) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < length; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  return bytes;
}

TEST(KeyedHash, AgreesWithThePublishedVectors) {
  EXPECT_EQ(keyed_hash(key, counting(0)), 0x726fdb47dd0e0e31ull);
  EXPECT_EQ(keyed_hash(key, counting(1)), 0x74f839c593dc67fdull);
  EXPECT_EQ(keyed_hash(key, counting(8)), 0x93f5f5799a932462ull);
  EXPECT_EQ(keyed_hash(key, counting(15)), 0xa129ca6149be45e5ull);
}

TEST(KeyedHash, WordsAndNumbersAreTheirBytes) {
  const std::vector<std::uint64_t> words{0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
  EXPECT_EQ(keyed_hash(key, words), keyed_hash(key, counting(16)));
  const std::vector<float> numbers{std::bit_cast<float>(0x03020100u),
                                   std::bit_cast<float>(0x07060504u),
                                   std::bit_cast<float>(0x0b0a0908u)};
  EXPECT_EQ(keyed_hash(key, numbers), keyed_hash(key, counting(12)));
}

TEST(KeyedHash, RandomKeysDiffer) { EXPECT_NE(random_hash_key(), random_hash_key()); }

}  // namespace
}  // namespace herd
