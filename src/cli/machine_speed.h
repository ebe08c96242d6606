// The machine's own limits, measured in a moment: what every speed of a model is a fraction of.
#pragma once

#include <cstdint>

#include "base/memory.h"
#include "base/thread_pool.h"

namespace herd::cli {

// Each is the best of several short passes that together take about `seconds`: what the machine can do, not what it did
// while something else ran.

// Reading memory in order with all threads, in GB/s; over more memory than `last_level_cache` bytes hold, and at most a
// quarter of what is available.
double read_gbps(std::uint64_t last_level_cache, const MemoryLimits& limits, ThreadPool& pool,
                 double seconds);

// Fused multiply-adds of float32 in registers, in GFLOP/s.
double fma_gflops(ThreadPool& pool, double seconds);
// The same of pairs of bfloat16, or 0 where the processor has no such instruction.
double bfloat16_gflops(ThreadPool& pool, double seconds);

// Products of four bytes by four bytes in registers, in 10^9 operations a second.
double int8_gops(ThreadPool& pool, double seconds);

}  // namespace herd::cli
