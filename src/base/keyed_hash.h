// SipHash-2-4 (Aumasson and Bernstein 2012): a hash that nobody can aim at without its key. For tables and caches whose
// entries come from strangers, where base/hash.h would let them choose collisions.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace herd {

using HashKey = std::array<std::uint64_t, 2>;

// Of the words' bytes, little endian.
std::uint64_t keyed_hash(const HashKey& key, std::span<const std::uint64_t> words);
// Of each number's bits, two to a word; a last odd one fills a word alone.
std::uint64_t keyed_hash(const HashKey& key, std::span<const float> numbers);
// Of bytes, as the paper does it.
std::uint64_t keyed_hash(const HashKey& key, std::span<const std::uint8_t> bytes);

// A key from the system's random numbers.
HashKey random_hash_key();

}  // namespace herd
