// safetensors: 8 bytes of header length, a JSON header, then the tensors' bytes without holes. The rules are those of
// the reference implementation (huggingface/safetensors, safetensors/src/tensor.rs), and in doubt the stricter one:
//   header length <= file size - 8 and <= 100,000,000; header begins with '{'; no name twice; names <= 1 KiB of UTF-8;
//   rank <= 8; shape x dtype == data_offsets, products checked in 64 bits; tensors tile the data to the file's end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "tensor/tensor.h"

namespace herd::checkpoint {

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t begin = 0;            // of its bytes, from the file's start
  std::uint64_t end = 0;              // behind its last byte
  std::uint64_t header_position = 0;  // of its name's opening quote, from the file's start
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;  // sorted by name
  std::vector<std::pair<std::string, std::string>> metadata;
  std::uint64_t data_begin = 0;  // from the file's start
};

// Checks a whole file and lists its tensors. Memory grows with the header's bytes, whatever the header promises; the
// tensors' bytes are not looked at. Fails with one of E1101 to E1111, E1201 or bad_header, without a file name.
Result<SafetensorsHeader> parse_safetensors(std::span<const std::byte> file);

// A file, mapped or read. Views of tensors live as long as it does; moving it keeps them valid.
class Safetensors {
 public:
  // Errors carry the file's name.
  static Result<Safetensors> open(const fs::path& path);
  // The same, read into memory: for files that others may cut short meanwhile, which a mapping does not survive.
  // Fails with out_of_range when it is larger than `bytes_max`, too.
  static Result<Safetensors> read(const fs::path& path, std::uint64_t bytes_max);

  [[nodiscard]] const Mapping& mapping() const { return mapping_; }
  [[nodiscard]] const std::vector<SafetensorsEntry>& tensors() const { return header_.tensors; }
  [[nodiscard]] const SafetensorsHeader& header() const { return header_; }

  // Null when there is no such tensor.
  [[nodiscard]] const SafetensorsEntry* find(std::string_view name) const;
  [[nodiscard]] std::span<const std::byte> bytes(const SafetensorsEntry& entry) const;

 private:
  Mapping mapping_;
  std::string read_;  // instead
  SafetensorsHeader header_;
};

}  // namespace herd::checkpoint
