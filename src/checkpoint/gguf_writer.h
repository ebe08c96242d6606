// Writes a GGUF file (version 3) front to back: metadata and the list of tensors first, then every tensor's bytes
// as they are made, in any pieces. Memory does not grow with the tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "checkpoint/safetensors_writer.h"
#include "tensor/tensor.h"

namespace herd::checkpoint {

// Metadata in the order it is to be written, already in the file's bytes.
class GgufKeys {
 public:
  void put(std::string_view key, std::uint32_t value);
  void put_u16(std::string_view key, std::uint16_t value);  // split.* are of this width
  void put(std::string_view key, float value);
  void put(std::string_view key, bool value);
  void put(std::string_view key, std::string_view value);
  void put(std::string_view key, const char* value) { put(key, std::string_view(value)); }
  void put(std::string_view key, std::span<const std::string> values);
  void put(std::string_view key, std::span<const std::int32_t> values);
  void put(std::string_view key, std::span<const float> values);

  void append(const GgufKeys& more);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void begin(std::string_view key, std::uint32_t type);
  std::string bytes_;
  std::uint64_t count_ = 0;
};

class GgufWriter {
 public:
  // The tensors lie in the file in the order given. Fails with cannot_create.
  static Result<GgufWriter> create(const fs::path& path, const GgufKeys& keys,
                                   std::span<const PlannedTensor> tensors);

  GgufWriter(GgufWriter&& other) noexcept;
  GgufWriter& operator=(GgufWriter&&) = delete;
  GgufWriter(const GgufWriter&) = delete;
  // Without finish(), the unfinished file is removed.
  ~GgufWriter();

  // The next bytes of the tensor that is being written; padding goes between tensors by itself. Fails with io_failed.
  Result<void> write(std::span<const std::byte> bytes);

  // To be called when all bytes were written; flushes them to the disk. Fails with io_failed.
  Result<void> finish();

 private:
  explicit GgufWriter(fs::path path) : path_(std::move(path)) {}
  Result<void> put(std::span<const std::byte> bytes);

  fs::path path_;
  int fd_ = -1;
  std::vector<std::uint64_t> sizes_;  // of the tensors
  std::size_t tensor_ = 0;            // that is being written
  std::uint64_t written_ = 0;         // of it
};

}  // namespace herd::checkpoint
