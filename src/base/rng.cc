#include "base/rng.h"

namespace herd {

std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t counter_low,
                                    std::uint64_t counter_high) {
  constexpr std::uint32_t multiplier_0 = 0xD2511F53, multiplier_1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl_0 = 0x9E3779B9, weyl_1 = 0xBB67AE85;
  constexpr int rounds = 10;
  auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };

  std::array<std::uint32_t, 4> c{low(counter_low), high(counter_low), low(counter_high),
                                 high(counter_high)};
  std::uint32_t key_0 = low(seed), key_1 = high(seed);
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t product_0 = std::uint64_t{multiplier_0} * c[0];
    const std::uint64_t product_1 = std::uint64_t{multiplier_1} * c[2];
    c = {high(product_1) ^ c[1] ^ key_0, low(product_1), high(product_0) ^ c[3] ^ key_1,
         low(product_0)};
    key_0 += weyl_0;
    key_1 += weyl_1;
  }
  return c;
}

double uniform(std::uint64_t seed, std::uint64_t counter, std::uint64_t stream) {
  const auto words = philox(seed, counter, stream);
  const std::uint64_t bits = (std::uint64_t{words[0]} << 32 | words[1]) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

}  // namespace herd
