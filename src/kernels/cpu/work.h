// How a kernel gets threads and scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/thread_pool.h"
#include "kernels/table.h"

namespace herd::cpu {

// The lane's pool, or the calling thread where a lane has none.
inline void run(const Lane& lane, std::int64_t items, std::int64_t grain,
                const std::function<void(std::int64_t begin, std::int64_t end, int thread)>& work) {
  if (items <= 0) return;
  if (lane.pool == nullptr)
    work(0, items, 0);
  else
    lane.pool->run(items, grain, work);
}

inline int threads_of(const Lane& lane) { return lane.pool == nullptr ? 1 : lane.pool->threads(); }

// Waking the pool and waiting for it takes about this long; work that alone takes less than twice as long stays on the
// calling thread. One row of decoding is always such work.
inline constexpr double wake_ns = 10'000;

// work(begin, end) over [0, rows), where one row takes about `row_ns` on one thread.
template <typename Work>
void share(const Lane& lane, std::int64_t rows, double row_ns, const Work& work) {
  if (rows <= 0) return;
  if (lane.pool == nullptr || static_cast<double>(rows) * row_ns < 2 * wake_ns)
    return work(std::int64_t{0}, rows);
  // Pieces as long as a waking: a claim costs nothing beside them, and the last one to end is not waited for long.
  const auto grain = static_cast<std::int64_t>(wake_ns / row_ns) + 1;
  run(lane, rows, grain, [&](std::int64_t begin, std::int64_t end, int) { work(begin, end); });
}

// Memory of the calling thread, at least `floats` long, aligned to 64 bytes, uninitialised; valid until the next call
// on the same thread. Grows to the largest request and is then reused: steady decoding allocates nothing.
float* scratch(std::size_t floats);

}  // namespace herd::cpu
