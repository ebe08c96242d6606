// Which two neighbouring tokens may be joined, into which one, and how early: (left, right) -> (rank, token).
#pragma once

#include <cstdint>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "text/vocabulary.h"

namespace herd::text {

struct Merge {
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::int32_t token = 0;  // bytes(token) = bytes(left) + bytes(right)
  std::uint32_t rank =
      0;  // lower is earlier; equal ranks make equal tokens and go from left to right
};

class MergeTable {
 public:
  struct Found {
    std::uint32_t rank;
    std::int32_t token;
  };
  static constexpr std::uint32_t no_rank = 0xFFFFFFFF;

  // Fails with tokenizer_invalid when a pair is listed twice ("model.merges entry 17", entries counted from 0).
  static Result<MergeTable> build(const std::vector<Merge>& merges, const Vocabulary& vocabulary);

  // All merges that tiktoken knows: every way to cut an ordinary token into two ordinary tokens, ranked by the token.
  static Result<MergeTable> from_ranks(const Vocabulary& vocabulary);

  // Rank no_rank and token -1 when the two are never joined.
  [[nodiscard]] Found find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = key_of(left, right);
    const std::uint64_t hash = hash_of(key);
    if ((filter_[(hash >> 40) & filter_mask_] >> (hash >> 58) & 1) == 0) return {no_rank, -1};
    for (std::size_t slot = hash & mask_;; slot = (slot + 1) & mask_) {
      const std::uint64_t entry = slots_[slot];
      if (entry == empty) return {no_rank, -1};
      if (entry >> rank_bits == key) {
        const auto rank = static_cast<std::uint32_t>(entry & ((1u << rank_bits) - 1));
        return {rank, token_of_rank_[rank]};
      }
    }
  }

  // Fetches what find() will look at; the table is larger than the caches and its lines far apart.
  void prefetch(std::int32_t left, std::int32_t right) const {
    __builtin_prefetch(slots_.data() + place_of(key_of(left, right)));
  }

  // find() for two single bytes, without the table.
  [[nodiscard]] Found find_bytes(unsigned char left, unsigned char right) const {
    return byte_pairs_[static_cast<std::size_t>(left) << 8 | right];
  }

  [[nodiscard]] std::size_t size() const { return count_; }

  // All of them, the earliest first.
  [[nodiscard]] std::vector<Merge> all() const;

 private:
  // One word an entry, because the table is larger than the caches: left, right (21 bits each) and rank (22 bits).
  static constexpr int id_bits = 21;
  static constexpr int rank_bits = 22;
  static_assert(limits::vocabulary_max <= 1ull << id_bits &&
                limits::merges_max <= 1ull << rank_bits);
  static constexpr std::uint64_t empty = ~0ull;

  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << id_bits | static_cast<std::uint64_t>(right);
  }
  [[nodiscard]] std::uint64_t hash_of(std::uint64_t key) const {
    const auto product = static_cast<unsigned __int128>(key ^ seed_) * 0x9E3779B97F4A7C15ull;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  [[nodiscard]] std::size_t place_of(std::uint64_t key) const { return hash_of(key) & mask_; }
  bool index_with(const std::vector<Merge>& merges, std::uint64_t seed, std::size_t* twice);

  std::vector<std::uint64_t> slots_;
  std::vector<std::int32_t> token_of_rank_;
  std::vector<std::uint64_t>
      filter_;  // a bit for each pair that may be there; small enough for a cache
  std::size_t filter_mask_ = 0;
  std::vector<Found> byte_pairs_;  // [256 * 256]
  std::size_t mask_ = 0;
  std::size_t count_ = 0;
  std::uint64_t seed_ = 0;
};

}  // namespace herd::text
