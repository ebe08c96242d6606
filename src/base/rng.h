// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): the value depends on (seed, counter) alone, so a
// sampled token does not depend on what else was drawn, in which batch, or on which thread.
#pragma once

#include <array>
#include <cstdint>

namespace herd {

// Four words for one (seed, counter).
std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t counter_low,
                                    std::uint64_t counter_high = 0);

// Uniform in [0, 1), 53 bits, for draw `stream` at `counter`.
double uniform(std::uint64_t seed, std::uint64_t counter, std::uint64_t stream = 0);

}  // namespace herd
