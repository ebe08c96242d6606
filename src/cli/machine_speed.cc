#include "cli/machine_speed.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "kernels/cpu/bfloat16_product.h"
#include "kernels/cpu/machine_limits.h"

namespace herd::cli {
namespace {

// The best rate of `once`, which takes a number of rounds and gives seconds and operations; as many rounds as make one
// pass an eighth of the time.
template <class Once>
double best_rate(double seconds, Once once) {
  std::int64_t rounds = 1 << 16;
  double best = 0, spent = 0;
  while (spent < seconds) {
    const auto [took, operations] = once(rounds);
    best = std::max(best, operations / 1e9 / took);
    spent += took;
    if (took < seconds / 8) rounds *= 2;
  }
  return best;
}

}  // namespace

double read_gbps(std::uint64_t last_level_cache, const MemoryLimits& limits, ThreadPool& pool,
                 double seconds) {
  constexpr std::uint64_t bytes_min = 32 << 20, bytes_max = 1 << 30;
  std::uint64_t bytes = std::clamp<std::uint64_t>(4 * last_level_cache, 256 << 20, bytes_max);
  bytes = std::min(bytes, std::max(limits.available / 4, bytes_min));
  const auto memory = std::make_unique_for_overwrite<std::byte[]>(bytes);
  // Whoever writes a page first has it on its side of the machine.
  pool.run(static_cast<std::int64_t>(bytes >> 20), 1,
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t i = begin; i < end; ++i)
               std::memset(memory.get() + (i << 20), 1, 1 << 20);
           });
  double best = 0, spent = 0;
  while (spent < seconds) {
    const double took = cpu::read_seconds(memory.get(), bytes, Lane{&pool});
    best = std::max(best, static_cast<double>(bytes) / 1e9 / took);
    spent += took;
  }
  return best;
}

double fma_gflops(ThreadPool& pool, double seconds) {
  return best_rate(seconds, [&](std::int64_t rounds) { return cpu::fma_time(rounds, {&pool}); });
}

double bfloat16_gflops(ThreadPool& pool, double seconds) {
  if (!cpu::has_bfloat16_products()) return 0;
  return best_rate(seconds, [&](std::int64_t rounds) {
    return cpu::fma_time(rounds, {.pool = &pool, .bfloat16 = true});
  });
}

double int8_gops(ThreadPool& pool, double seconds) {
  return best_rate(seconds, [&](std::int64_t rounds) { return cpu::dot_time(rounds, {&pool}); });
}

}  // namespace herd::cli
