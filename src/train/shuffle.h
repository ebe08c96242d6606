// Orders that look random and are a function of their seed alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <numeric>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace herd::train {

// 0 .. count-1 in the order of random keys.
inline std::vector<std::uint32_t> shuffled(std::size_t count, std::uint64_t seed,
                                           std::uint64_t round) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  const auto key = [&](std::uint32_t i) { return std::pair(philox(seed, i, round), i); };
  std::ranges::sort(order, {}, key);
  return order;
}

// An endless row of rounds, each with every number below `count` once, in an order of its own. Remembers the round that
// was asked for last. May be asked from several threads at once.
class Rounds {
 public:
  // 1 <= count < 2^32.
  Rounds(std::size_t count, std::uint64_t seed) : count_(count), seed_(seed) {}

  [[nodiscard]] std::uint32_t at(std::uint64_t index) const {
    const std::lock_guard lock(ordering_);
    const std::uint64_t round = index / count_;
    if (order_.empty() || round != round_) order_ = shuffled(count_, seed_, round);
    round_ = round;
    return order_[index % count_];
  }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::size_t count_;
  std::uint64_t seed_;
  mutable std::mutex ordering_;
  mutable std::uint64_t round_ = 0;
  mutable std::vector<std::uint32_t> order_;
};

}  // namespace herd::train
