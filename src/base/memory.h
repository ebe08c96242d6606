// How much memory there is to plan with.
#pragma once

#include <cstdint>
#include <string>

namespace herd {

struct MemoryLimits {
  std::uint64_t physical = 0;  // of the machine, bytes
  std::uint64_t available =
      0;                 // what this process may still take: the smallest of the bounds below
  std::string bound_by;  // "free memory", "cgroup limit" or "address-space limit"
};

// Reads /proc/meminfo, the cgroup's limit (v2 and v1) and RLIMIT_AS.
MemoryLimits memory_limits();

// Resident set of this process, bytes; and its highest value so far.
struct Resident {
  std::uint64_t now = 0;
  std::uint64_t peak = 0;
};
Resident resident_memory();

// "13.4 GiB", "512 B".
std::string human_bytes(std::uint64_t bytes);

}  // namespace herd
