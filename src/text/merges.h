// Which two neighbouring tokens may be joined, into which one, and how early: (left, right) -> (rank, token).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "text/vocabulary.h"

namespace herd::text {

struct Merge {
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::int32_t token = 0;  // bytes(token) = bytes(left) + bytes(right)
  std::uint32_t rank = 0;  // lower is earlier; equal ranks go from left to right
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

  // Rank no_rank when the two are never joined.
  [[nodiscard]] Found find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t slot = place_of(key);; slot = (slot + 1) & mask_) {
      const Slot& s = slots_[slot];
      if (s.key == key) return {s.rank, s.token};
      if (s.key == empty) return {no_rank, -1};
    }
  }

  // The same for two single bytes, without the table.
  [[nodiscard]] Found find_bytes(unsigned char left, unsigned char right) const {
    return byte_pairs_[static_cast<std::size_t>(left) << 8 | right];
  }

  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  struct Slot {
    std::uint64_t key = empty;
    std::uint32_t rank = no_rank;
    std::int32_t token = -1;
  };
  static constexpr std::uint64_t empty = ~0ull;
  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  [[nodiscard]] std::size_t place_of(std::uint64_t key) const {
    const auto product = static_cast<unsigned __int128>(key ^ seed_) * 0x9E3779B97F4A7C15ull;
    return static_cast<std::size_t>(static_cast<std::uint64_t>(product) ^
                                    static_cast<std::uint64_t>(product >> 64)) &
           mask_;
  }
  bool index_with(const std::vector<Merge>& merges, std::uint64_t seed, std::size_t* twice);

  std::vector<Slot> slots_;
  std::vector<Found> byte_pairs_;  // [256 * 256]
  std::size_t mask_ = 0;
  std::size_t count_ = 0;
  std::uint64_t seed_ = 0;
};

}  // namespace herd::text
