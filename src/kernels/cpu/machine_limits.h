// What the machine itself can do: the three numbers that every kernel's speed is a fraction of. Used by benchmarks and
// by `herd doctor`.
#pragma once

#include <cstddef>

#include "kernels/table.h"

namespace herd::cpu {

// Seconds that all threads of the lane together take to read `bytes` bytes once, in order, doing nothing else with
// them.
double read_seconds(const void* data, std::size_t bytes, const Lane& lane);

// Seconds for `rounds` rounds of independent fused multiply-adds in registers on every thread of the lane, and their
// number of floating-point operations. Of float32; for a lane of bfloat16, of its pairs, where the processor has them.
struct FmaTime {
  double seconds = 0;
  double flops = 0;
};
FmaTime fma_time(std::int64_t rounds, const Lane& lane);

// The same for products of four bytes by four bytes, added into 32 bits, as quantized weights are multiplied with; a
// multiplication and an addition are two operations.
struct DotTime {
  double seconds = 0;
  double operations = 0;
};
DotTime dot_time(std::int64_t rounds, const Lane& lane);

}  // namespace herd::cpu
