// What this machine is, as the system tells it; nothing here is measured.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace herd::cli {

struct Processor {
  std::string model;  // "AMD EPYC 9554 64-Core Processor"; "unknown" where the system does not say
  std::vector<std::string> features;   // those that matter to kernels, as /proc/cpuinfo spells them
  int usable = 0;                      // CPUs this process may run on
  int present = 0;                     // CPUs of the machine
  std::uint64_t last_level_cache = 0;  // bytes; 0 unknown
};
Processor processor();

// Graphics processors with a driver: their models, or the names of their device files where the driver names none.
std::vector<std::string> graphics_processors();

// Name and version of the program's parts: herd, compiler, system, libraries.
std::vector<std::pair<std::string, std::string>> versions();

}  // namespace herd::cli
