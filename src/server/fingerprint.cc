#include "server/fingerprint.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/bytes.h"

namespace herd::server {
namespace {

constexpr std::size_t ends_bytes = 64 * 1024;

std::string ends_of(const fs::path& path, std::uint64_t size) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  std::string out(2 * ends_bytes, '\0');
  if (file == nullptr) return {};
  std::size_t got = std::fread(out.data(), 1, ends_bytes, file.get());
  if (size > 2 * ends_bytes) std::fseek(file.get(), -static_cast<long>(ends_bytes), SEEK_END);
  got += std::fread(out.data() + got, 1, ends_bytes, file.get());
  out.resize(got);
  return out;
}

}  // namespace

std::string fingerprint(const fs::path& model, std::string_view version, std::string_view kernels) {
  std::vector<fs::path> files;
  std::error_code ignored;
  if (fs::is_regular_file(model, ignored)) files.push_back(model);  // a GGUF file is all of it
  for (const auto& entry : fs::directory_iterator(model, ignored))
    if (entry.is_regular_file(ignored)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::string all = fmt::format("{}\n{}\n", version, kernels);
  for (const fs::path& file : files) {
    const std::uint64_t size = fs::file_size(file, ignored);
    const std::string ends = ends_of(file, size);
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    ::SHA256(octets_of(ends).data(), ends.size(), digest.data());
    all += fmt::format("{}\n{}\n", file.filename().string(), size);
    all += text_of(std::span<const unsigned char>(digest));
  }
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(octets_of(all).data(), all.size(), digest.data());
  std::string name = "fp_";
  for (const unsigned char byte : std::span(digest).first(8)) name += fmt::format("{:02x}", byte);
  return name;
}

}  // namespace herd::server
