// Looks at every number of a tensor for those that are none: NaN and infinity in weights come from a broken
// conversion, a damaged disk or a diverged training run, and no format's checks notice them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/thread_pool.h"
#include "tensor/dtype.h"

namespace herd::checkpoint {

struct NonFinite {
  std::uint64_t nan = 0;
  std::uint64_t infinite = 0;
};

// Counts over numbers of a floating-point type, in memory or mapped; integers have none, which costs nothing to say.
// `scanned` is called with bytes just looked at, from several threads.
NonFinite count_non_finite(std::span<const std::byte> numbers, DType dtype, ThreadPool& pool,
                           const std::function<void(std::uint64_t)>& scanned = {});

}  // namespace herd::checkpoint
