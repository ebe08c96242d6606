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

// Memory of the calling thread, at least `floats` long, aligned to 64 bytes, uninitialised; valid until the next call
// on the same thread. Grows to the largest request and is then reused: steady decoding allocates nothing.
float* scratch(std::size_t floats);

}  // namespace herd::cpu
