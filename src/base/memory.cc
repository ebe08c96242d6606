#include "base/memory.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/file.h"

namespace herd {
namespace {

constexpr std::uint64_t proc_file_bytes_max = 1 << 20;

// The number after `key` in a file of "Key:   123 kB" lines, in bytes.
std::optional<std::uint64_t> kilobytes_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return {};
  return value * 1024;
}

std::optional<std::uint64_t> number_in(const char* path) {
  const auto text = read_file(path, proc_file_bytes_max);
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  if (std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc())
    return std::nullopt;  // "max"
  return value;
}

// What the control group still allows, if there is one with a limit.
std::optional<std::uint64_t> cgroup_left() {
  constexpr std::array<std::array<const char*, 2>, 2> files{{
      {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
       "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
  }};
  for (const auto& [limit_file, usage_file] : files) {
    const auto limit = number_in(limit_file);
    const auto usage = number_in(usage_file);
    if (limit && usage) return *limit > *usage ? *limit - *usage : 0;
  }
  return std::nullopt;
}

}  // namespace

MemoryLimits memory_limits() {
  MemoryLimits limits;
  const auto text = read_file("/proc/meminfo", proc_file_bytes_max);
  if (text) {
    limits.physical = kilobytes_of(*text, "MemTotal:").value_or(0);
    limits.available = kilobytes_of(*text, "MemAvailable:").value_or(0);
  }
  limits.bound_by = "free memory";
  auto bound = [&](std::optional<std::uint64_t> value, const char* name) {
    if (!value || *value >= limits.available) return;
    limits.available = *value;
    limits.bound_by = name;
  };
  bound(cgroup_left(), "cgroup limit");
  rlimit address_space{};
  if (getrlimit(RLIMIT_AS, &address_space) == 0 && address_space.rlim_cur != RLIM_INFINITY)
    bound(address_space.rlim_cur, "address-space limit");
  return limits;
}

Resident resident_memory() {
  const auto text = read_file("/proc/self/status", proc_file_bytes_max);
  if (!text) return {};
  return {kilobytes_of(*text, "VmRSS:").value_or(0), kilobytes_of(*text, "VmHWM:").value_or(0)};
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace herd
