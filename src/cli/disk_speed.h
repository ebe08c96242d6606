// How fast a directory's disk can be read, measured.
#pragma once

#include <cstdint>
#include <string>

#include "base/file.h"

namespace herd::cli {

struct DiskSpeed {
  std::string file;         // what was read: a file of the directory, or a temporary one
  std::uint64_t bytes = 0;  // read
  double gbps = 0;          // 10^9 bytes a second
  bool direct = false;      // past the system's cache (O_DIRECT)
  bool cached = false;  // the figure is the memory's, because the file lay in the system's cache
};

// Reads the directory's largest file of weights in pieces of 4 MiB, four at a time, for about `seconds`; where there is
// none of 64 MiB or more, a temporary file that has no name and disappears by itself. Fails with cannot_create when
// neither can be had.
Result<DiskSpeed> measure_disk(const fs::path& directory, double seconds);

}  // namespace herd::cli
