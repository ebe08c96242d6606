#include "server/fingerprint.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "checkpoint/store.h"

namespace herd::server {
namespace {

constexpr std::uint64_t ends_bytes = 64 * 1024, sample_bytes = 4096, samples = 64;

std::vector<fs::path> files_of(const fs::path& part) {
  std::error_code ignored;
  const bool is_file = fs::is_regular_file(part, ignored);
  if (is_file && part.extension() != ".gguf") {
    std::vector<fs::path> files = checkpoint::find_projectors(part);
    files.insert(files.begin(), part);
    return files;
  }
  const fs::path directory = is_file ? fs::absolute(part).parent_path() : part;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory, ignored))
    if (entry.is_regular_file(ignored) && (!is_file || entry.path().extension() == ".gguf"))
      files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

// The file's ends, and samples at even distances between.
std::string sampled(const fs::path& path, std::uint64_t size) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  std::string out;
  if (file == nullptr) return out;
  const auto read = [&](std::uint64_t at, std::uint64_t count) {
    const std::size_t before = out.size();
    out.resize(before + count);
    std::size_t got = 0;
    if (std::fseek(file.get(), static_cast<long>(at), SEEK_SET) == 0)
      got = std::fread(out.data() + before, 1, count, file.get());
    out.resize(before + got);
  };
  if (size <= 2 * ends_bytes + samples * sample_bytes) {
    read(0, size);
    return out;
  }
  read(0, ends_bytes);
  for (std::uint64_t i = 1; i <= samples; ++i) read(size / (samples + 1) * i, sample_bytes);
  read(size - ends_bytes, ends_bytes);
  return out;
}

std::array<unsigned char, SHA256_DIGEST_LENGTH> digest_of(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(octets_of(text).data(), text.size(), digest.data());
  return digest;
}

std::string name_of(std::span<const fs::path> parts, std::string_view version,
                    std::string_view kernels, bool with_times) {
  std::string all = fmt::format("{}\n{}\n", version, kernels);
  std::error_code ignored;
  for (const fs::path& part : parts) {
    if (part.empty()) continue;
    all += "part\n";
    for (const fs::path& file : files_of(part)) {
      const std::uint64_t size = fs::file_size(file, ignored);
      all += fmt::format("{}\n{}\n", file.filename().string(), size);
      const auto digest = digest_of(sampled(file, size));
      all += text_of(std::span<const unsigned char>(digest));
      if (with_times)
        all += fmt::format("{}\n", fs::last_write_time(file, ignored).time_since_epoch().count());
    }
  }
  std::string name = "fp_";
  const auto digest = digest_of(all);
  for (const unsigned char byte : std::span(digest).first(8)) name += fmt::format("{:02x}", byte);
  return name;
}

}  // namespace

std::string fingerprint(std::span<const fs::path> parts, std::string_view version,
                        std::string_view kernels) {
  return name_of(parts, version, kernels, false);
}

std::string disk_identity(std::span<const fs::path> parts, std::string_view version,
                          std::string_view kernels) {
  return name_of(parts, version, kernels, true);
}

}  // namespace herd::server
