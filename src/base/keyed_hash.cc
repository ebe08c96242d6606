#include "base/keyed_hash.h"

#include <sys/random.h>

#include <bit>

#include "base/check.h"

namespace herd {
namespace {

class Sip {
 public:
  explicit Sip(const HashKey& key)
      : v0_(0x736f6d6570736575ull ^ key[0]),
        v1_(0x646f72616e646f6dull ^ key[1]),
        v2_(0x6c7967656e657261ull ^ key[0]),
        v3_(0x7465646279746573ull ^ key[1]) {}

  void add(std::uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }
  // `tail`: the last bytes that fill no word, and the count of all bytes in the top byte.
  std::uint64_t finish(std::uint64_t tail) {
    add(tail);
    v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }
  std::uint64_t v0_, v1_, v2_, v3_;
};

std::uint64_t length_byte(std::size_t bytes) { return std::uint64_t{bytes & 0xff} << 56; }

}  // namespace

std::uint64_t keyed_hash(const HashKey& key, std::span<const std::uint64_t> words) {
  Sip sip(key);
  for (const std::uint64_t word : words) sip.add(word);
  return sip.finish(length_byte(words.size_bytes()));
}

std::uint64_t keyed_hash(const HashKey& key, std::span<const float> numbers) {
  Sip sip(key);
  std::size_t i = 0;
  for (; i + 2 <= numbers.size(); i += 2)
    sip.add(std::bit_cast<std::uint32_t>(numbers[i]) |
            std::uint64_t{std::bit_cast<std::uint32_t>(numbers[i + 1])} << 32);
  std::uint64_t tail = length_byte(numbers.size_bytes());
  if (i < numbers.size()) tail |= std::bit_cast<std::uint32_t>(numbers[i]);
  return sip.finish(tail);
}

std::uint64_t keyed_hash(const HashKey& key, std::span<const std::uint8_t> bytes) {
  Sip sip(key);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    word |= std::uint64_t{bytes[i]} << (i % 8 * 8);
    if (i % 8 == 7) {
      sip.add(word);
      word = 0;
    }
  }
  return sip.finish(word | length_byte(bytes.size()));
}

HashKey random_hash_key() {
  HashKey key{};
  const ssize_t got = ::getrandom(key.data(), sizeof(key), 0);
  HERD_CHECK(got == static_cast<ssize_t>(sizeof(key)), "getrandom gave {} bytes", got);
  return key;
}

}  // namespace herd
