// Runs a target over files: the main() of targets that are built without libFuzzer. Directories are searched with all
// that is in them. A file that breaks a promise aborts, and its name is the last thing that was printed.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

#include "base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::uint64_t seed_bytes_max = 64 << 20;

std::vector<herd::fs::path> files_of(const herd::fs::path& path) {
  using Walk = herd::fs::recursive_directory_iterator;
  if (!herd::fs::is_directory(path)) return {path};
  std::vector<herd::fs::path> files;
  for (const auto& entry : Walk(path))
    if (entry.is_regular_file()) files.push_back(entry.path());
  return files;
}

}  // namespace

int main(int count, char** arguments) try {
  int ran = 0;
  for (int i = 1; i < count; ++i)
    for (const herd::fs::path& file : files_of(arguments[i])) {
      std::puts(file.c_str());
      std::fflush(stdout);
      const auto seed = herd::read_file(file, seed_bytes_max);
      if (!seed) {
        std::fputs((to_string(seed.error()) + "\n").c_str(), stderr);
        return 1;
      }
      const std::vector<std::uint8_t> bytes(seed->begin(), seed->end());
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
      ++ran;
    }
  if (ran == 0) std::fputs("no seeds: name files or directories\n", stderr);
  return ran == 0 ? 1 : 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
