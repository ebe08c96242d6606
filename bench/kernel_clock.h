// The command line and the clock that programs timing kernels share.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace herd {

struct KernelBenchOptions {
  bool quick = false;
  bool cpu_clock = false;  // processor time, for one thread on a machine that others use too
  int threads = 0;
  std::string only;  // of the names
};

// Nothing where the words are wrong; that has been said on stderr then.
inline std::optional<KernelBenchOptions> kernel_bench_options(int argc, char** argv) {
  KernelBenchOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--quick") {
      options.quick = true;
    } else if (arg == "--cpu") {
      options.cpu_clock = true;
    } else if (arg.starts_with("--threads=")) {
      const std::string_view digits = arg.substr(10);
      const auto [end, failed] =
          std::from_chars(digits.data(), digits.data() + digits.size(), options.threads);
      if (failed != std::errc() || end != digits.data() + digits.size() || options.threads < 1) {
        fmt::print(stderr, "{}: --threads={}: wanted a number from 1 on\n", argv[0], digits);
        return std::nullopt;
      }
    } else if (arg.starts_with("--only=")) {
      options.only = arg.substr(7);
    } else {
      fmt::print(stderr, "usage: {} [--quick] [--cpu] [--threads=N] [--only=SUBSTRING]\n", argv[0]);
      return std::nullopt;
    }
  }
  return options;
}

inline double seconds_of(const KernelBenchOptions& options, const std::function<void()>& call) {
  if (options.cpu_clock) {
    const std::clock_t start = std::clock();
    call();
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  }
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace herd
