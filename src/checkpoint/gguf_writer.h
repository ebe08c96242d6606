// Writes a GGUF file (version 3) or a packed store front to back: metadata and the list of tensors first, then every
// tensor's bytes as they are made, in any pieces. Memory does not grow with the tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/whole_file.h"
#include "checkpoint/gguf.h"
#include "checkpoint/safetensors_writer.h"
#include "tensor/tensor.h"

namespace herd::checkpoint {

// Metadata in the order it is to be written, already in the file's bytes.
class GgufKeys {
 public:
  void put(std::string_view key, std::uint32_t value);
  void put_u16(std::string_view key, std::uint16_t value);  // split.* are of this width
  void put(std::string_view key, std::int32_t value);
  void put(std::string_view key, float value);
  void put(std::string_view key, bool value);
  void put(std::string_view key, std::string_view value);
  void put(std::string_view key, const char* value) { put(key, std::string_view(value)); }
  void put(std::string_view key, std::span<const std::string> values);
  void put(std::string_view key, std::span<const std::int32_t> values);
  void put(std::string_view key, std::span<const float> values);

  void append(const GgufKeys& more);
  void copy(const GgufEntry& entry);  // out of a file, bit for bit

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void begin(std::string_view key, std::uint32_t type);
  std::string bytes_;
  std::uint64_t count_ = 0;
};

enum class GgufKind : std::uint8_t { gguf, packed_store };

// Bytes of a tensor in the file, without what pads it.
std::uint64_t gguf_bytes_of(const PlannedTensor& tensor);

class GgufWriter {
 public:
  // The tensors lie in the file in the order given; of packed ones every matrix takes whole pages, its last filled up
  // by the caller. A packed store gets the keys of its alignment and layout besides. Fails with cannot_create.
  static Result<GgufWriter> create(const fs::path& path, const GgufKeys& keys,
                                   std::span<const PlannedTensor> tensors,
                                   GgufKind kind = GgufKind::gguf);

  // The next bytes of the tensor that is being written; padding goes between tensors by itself. Fails with io_failed.
  Result<void> write(std::span<const std::byte> bytes);

  // To be called when all bytes were written: the file is there from then on, and without it never. Fails with
  // io_failed or cannot_create.
  Result<void> finish();

 private:
  GgufWriter(WholeFile file, std::uint64_t alignment)
      : file_(std::move(file)), alignment_(alignment) {}
  [[nodiscard]] std::uint64_t padding(std::uint64_t size) const {
    return (alignment_ - size % alignment_) % alignment_;
  }

  WholeFile file_;
  std::uint64_t alignment_;
  std::vector<std::uint64_t> sizes_;  // of the tensors
  std::size_t tensor_ = 0;            // that is being written
  std::uint64_t written_ = 0;         // of it
};

}  // namespace herd::checkpoint
