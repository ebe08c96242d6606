// Files: opened without following links out of a directory, mapped read-only, written atomically.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace herd {

namespace fs = std::filesystem;

// A file mapped read-only for as long as the Mapping lives. Movable, not copyable.
class Mapping {
 public:
  // Fails with missing_input or io_failed. A file of zero bytes maps to an empty span.
  static Result<Mapping> open(const fs::path& path);

  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] const fs::path& path() const { return path_; }

  // Asks the kernel to read the range ahead. Advice only.
  void will_need(std::uint64_t offset, std::uint64_t size) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  fs::path path_;
};

// The whole file as text. Fails with missing_input, io_failed, or out_of_range when it is larger than `bytes_max`.
Result<std::string> read_file(const fs::path& path, std::uint64_t bytes_max);

// When it was last written, in seconds since 1970; 0 where that is not known.
std::int64_t modified_seconds(const fs::path& path);

// Writes beside the target, flushes to disk and renames: readers see the old file or the new one, never half.
Result<void> write_file(const fs::path& path, std::string_view bytes);
Result<void> write_file(const fs::path& path, std::span<const std::byte> bytes);

// True when `name` is a plain file name ([A-Za-z0-9._-], 1 to 128 bytes, not "." or ".."): the only names that may
// come out of a file's text and be opened.
bool is_plain_file_name(std::string_view name);

}  // namespace herd
