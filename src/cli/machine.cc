#include "cli/machine.h"

#include <fmt/core.h>
#include <gif_lib.h>
#include <gnu/libc-version.h>
#include <jpeglib.h>  // after <cstdio>, which it needs and does not include
#include <png.h>
#include <spdlog/version.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <utf8proc.h>
#include <webp/decode.h>
#include <zlib.h>

#include <CLI/Version.hpp>
#include <algorithm>
#include <array>
#include <boost/version.hpp>
#include <cstdio>
#include <sstream>

#include "base/file.h"
#include "base/thread_pool.h"
#include "kernels/cpu/vector_library.h"

namespace herd::cli {
namespace {

constexpr std::uint64_t proc_file_bytes_max = 16
                                              << 20;  // /proc/cpuinfo repeats itself for every CPU

// What follows "key\t: " on the first such line of /proc/cpuinfo and its like.
std::string value_of(std::string_view text, std::string_view key) {
  std::size_t at = text.starts_with(key) ? 0 : text.find("\n" + std::string(key));
  if (at == std::string_view::npos) return {};
  at = text.find(':', at);
  const std::size_t end = text.find('\n', at);
  if (at == std::string_view::npos || end == std::string_view::npos) return {};
  const std::size_t begin = text.find_first_not_of(" \t", at + 1);
  return begin >= end ? std::string() : std::string(text.substr(begin, end - begin));
}

std::string file_text(const fs::path& path) {
  return read_file(path, proc_file_bytes_max).value_or(std::string());
}

// "32768K" of the outermost cache of CPU 0.
std::uint64_t last_level_cache() {
  std::uint64_t bytes = 0;
  for (int index = 0; index < 8; ++index) {
    const std::string text =
        file_text(fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/size", index));
    std::uint64_t kilobytes = 0;
    if (std::istringstream(text) >> kilobytes) bytes = std::max(bytes, kilobytes * 1024);
  }
  return bytes;
}

constexpr std::array kernel_features{
    "sse4_2",      "avx",      "avx2",     "fma",      "f16c",        "avx_vnni",
    "avx512f",     "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "avx512_bf16",
    "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd",       "asimddp",
    "i8mm",        "bf16",     "sve",      "sve2"};

}  // namespace

Processor processor() {
  const std::string text = file_text("/proc/cpuinfo");
  Processor out;
  out.model = value_of(text, "model name");
  if (out.model.empty()) out.model = "unknown";
  std::istringstream flags(value_of(text, "flags") + " " + value_of(text, "Features"));
  for (std::string flag; flags >> flag;)
    if (std::ranges::find(kernel_features, flag) != kernel_features.end())
      out.features.push_back(flag);
  out.usable = usable_cpus();
  out.present = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  out.last_level_cache = last_level_cache();
  return out;
}

std::vector<std::string> graphics_processors() {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/driver/nvidia/gpus", error)) {
    const std::string model = value_of(file_text(entry.path() / "information"), "Model");
    found.push_back(model.empty() ? entry.path().filename().string() : model);
  }
  if (!found.empty()) return found;
  for (const auto& entry : fs::directory_iterator("/dev", error)) {
    const std::string name = entry.path().filename();
    constexpr std::string_view stem = "nvidia";
    if (name.starts_with(stem) && name.size() > stem.size() &&
        std::ranges::all_of(name.substr(stem.size()), [](char c) { return c >= '0' && c <= '9'; }))
      found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::pair<std::string, std::string>> versions() {
  const auto three_bytes = [](int packed) {
    return fmt::format("{}.{}.{}", packed >> 16, (packed >> 8) & 0xff, packed & 0xff);
  };
  std::string system = "unknown";
  if (utsname names{}; ::uname(&names) == 0)
    system = fmt::format("{} {} {}", names.sysname, names.release, names.machine);
  const std::string_view vectors = cpu::vector_library();
  return {
      {"herd", HERD_VERSION},
      {"compiler", HERD_COMPILER},
      {"C library", fmt::format("glibc {}", ::gnu_get_libc_version())},
      {"system", system},
      {"Highway", std::string(vectors.substr(vectors.find(' ') + 1))},
      {"fmt",
       fmt::format("{}.{}.{}", FMT_VERSION / 10'000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
      {"spdlog", fmt::format("{}.{}.{}", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)},
      {"CLI11", CLI11_VERSION},
      {"Boost", fmt::format("{}.{}.{}", BOOST_VERSION / 100'000, BOOST_VERSION / 100 % 1000,
                            BOOST_VERSION % 100)},
      {"utf8proc", ::utf8proc_version()},
      {"libjpeg-turbo", three_bytes((LIBJPEG_TURBO_VERSION_NUMBER / 1'000'000) << 16 |
                                    (LIBJPEG_TURBO_VERSION_NUMBER / 1000 % 1000) << 8 |
                                    (LIBJPEG_TURBO_VERSION_NUMBER % 1000))},
      {"libpng", ::png_get_libpng_ver(nullptr)},
      {"libwebp", three_bytes(::WebPGetDecoderVersion())},
      {"giflib", fmt::format("{}.{}.{}", GIFLIB_MAJOR, GIFLIB_MINOR, GIFLIB_RELEASE)},
      {"zlib", ::zlibVersion()},
  };
}

}  // namespace herd::cli
