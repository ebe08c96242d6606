// The different pieces of a text and how often each occurs: all that the training of a tokenizer looks at.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "text/split.h"

namespace herd::text {

// Memory grows with the different pieces, not with the text. Any bytes are text; names of special tokens are too.
class PieceCounts {
 public:
  explicit PieceCounts(Split split);

  // Cuts one text, or a part of it that ends at a safe_cut(), and counts its pieces.
  void add(std::string_view text);
  // Counts a piece as it is.
  void add_piece(std::string_view piece, std::uint64_t times);
  // Everything that `other` counted; of the same split.
  void add(const PieceCounts& other);

  [[nodiscard]] Split split() const { return split_; }
  // Bytes of all texts.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // Different pieces, in the order in which they came.
  [[nodiscard]] std::size_t size() const { return counts_.size(); }
  [[nodiscard]] std::string_view piece(std::size_t i) const {
    return std::string_view(arena_).substr(ends_[i], ends_[i + 1] - ends_[i]);
  }
  [[nodiscard]] std::uint64_t count(std::size_t i) const { return counts_[i]; }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t index_plus_one = 0;  // 0: empty
  };
  void grow();

  Split split_;
  std::uint64_t seed_;
  std::uint64_t bytes_ = 0;
  std::string arena_;
  std::vector<std::uint64_t> ends_{0};  // of piece i - 1 in the arena
  std::vector<std::uint64_t> counts_;
  std::vector<Slot> slots_;
  std::size_t mask_;
};

// Counts items 0 to items - 1 on all threads of the pool. `feed` adds the texts of one item to `counts` and nothing
// else to it; it is called from several threads at once, the items in any order. The counts are the same at any number
// of threads; the order of the pieces is not, and nothing trained from them depends on it.
PieceCounts count_pieces(std::int64_t items, Split split, ThreadPool& pool,
                         const std::function<void(std::int64_t item, PieceCounts& counts)>& feed);

}  // namespace herd::text
