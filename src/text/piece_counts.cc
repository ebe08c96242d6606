#include "text/piece_counts.h"

#include <limits>
#include <random>

#include "base/check.h"
#include "text/vocabulary.h"

namespace herd::text {

// The seed keeps a text from choosing pieces that fall into one slot; it has no part in the result.
PieceCounts::PieceCounts(Split split)
    : split_(split), seed_(std::random_device()()), slots_(1024), mask_(slots_.size() - 1) {}

void PieceCounts::add(std::string_view text) {
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = piece_end(text, begin, split_);
    add_piece(text.substr(begin, end - begin), 1);
  }
  bytes_ += text.size();
}

void PieceCounts::add_piece(std::string_view piece, std::uint64_t times) {
  const std::uint64_t hash = hash_bytes(piece, seed_);
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  std::size_t slot = hash & mask_;
  for (; slots_[slot].index_plus_one != 0; slot = (slot + 1) & mask_) {
    const std::size_t index = slots_[slot].index_plus_one - 1;
    if (slots_[slot].tag != tag || this->piece(index) != piece) continue;
    counts_[index] += times;
    return;
  }
  HERD_CHECK(counts_.size() < std::numeric_limits<std::uint32_t>::max() - 1, "{} pieces",
             counts_.size());
  arena_ += piece;
  ends_.push_back(arena_.size());
  counts_.push_back(times);
  slots_[slot] = {tag, static_cast<std::uint32_t>(counts_.size())};
  if (2 * counts_.size() > slots_.size()) grow();
}

void PieceCounts::add(const PieceCounts& other) {
  HERD_CHECK(split_ == other.split_, "counts of two splits");
  for (std::size_t i = 0; i < other.size(); ++i) add_piece(other.piece(i), other.count(i));
  bytes_ += other.bytes_;
}

void PieceCounts::grow() {
  slots_.assign(slots_.size() * 2, Slot{});
  mask_ = slots_.size() - 1;
  for (std::size_t i = 0; i < size(); ++i) {
    const std::uint64_t hash = hash_bytes(piece(i), seed_);
    std::size_t slot = hash & mask_;
    while (slots_[slot].index_plus_one != 0) slot = (slot + 1) & mask_;
    slots_[slot] = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(i + 1)};
  }
}

PieceCounts count_pieces(std::int64_t items, Split split, ThreadPool& pool,
                         const std::function<void(std::int64_t, PieceCounts&)>& feed) {
  std::vector<PieceCounts> of_thread(static_cast<std::size_t>(pool.threads()), PieceCounts(split));
  pool.run(items, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t item = begin; item < end; ++item)
      feed(item, of_thread[static_cast<std::size_t>(thread)]);
  });
  for (std::size_t i = 1; i < of_thread.size(); ++i) {
    of_thread[0].add(of_thread[i]);
    of_thread[i] = PieceCounts(split);  // its memory is needed no longer
  }
  return std::move(of_thread[0]);
}

}  // namespace herd::text
