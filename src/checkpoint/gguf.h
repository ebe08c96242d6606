// GGUF, ggml's one file for a model: metadata (key, type, value), a list of tensors, then their bytes. Versions 2 and
// 3, little-endian. The rules are those of ggml's reader (gguf.cpp), and in doubt the stricter one:
//   at most 65,536 keys and 1,048,576 tensors, strings of 16 MiB, arrays of 64 Mi elements and none of arrays; every
//   count is also held against the bytes that are left, every product is checked in 64 bits; keys and names once each;
//   ranks 1 to 4; alignment a power of two up to 1 MiB; tensors begin on it, overlap nowhere and end within the file.
//
// A packed store (.herd, docs/gguf.md) is the same with the magic "HERD", a version of its own, tensors on whole pages,
// and types packed_type above a GGUF's for matrices in blocks as the CPU multiplies them (tensor/packed_layout.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace herd::checkpoint {

inline constexpr std::string_view packed_magic = "HERD";
inline constexpr std::uint32_t packed_store_version = 1;  // of what surrounds the blocks
inline constexpr std::uint32_t packed_type = 0x1000;
inline constexpr std::string_view packed_layout_key = "herd.packed.layout";

// As the format numbers them.
enum class GgufType : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

std::string_view name_of(GgufType type);

// An array whose bytes were found to hold its elements. Not owned.
struct GgufArray {
  GgufType type = GgufType::u8;
  std::uint64_t count = 0;
  std::span<const std::byte> bytes;

  // The elements as strings, or as whole numbers; nothing when they are of another type (or a number is no i64).
  [[nodiscard]] std::optional<std::vector<std::string_view>> strings() const;
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers() const;
  [[nodiscard]] std::optional<std::vector<float>> floats() const;
};

using GgufValue =
    std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, GgufArray>;

struct GgufEntry {
  std::string_view key;
  GgufType type = GgufType::u8;
  GgufValue value;
  std::span<const std::byte> bytes;  // key, type and value as the file has them
};

struct GgufTensor {
  std::string_view name;
  DType dtype = DType::f32;
  bool packed = false;
  Shape shape;              // slowest first, as everywhere in herd: the file's dimensions reversed
  std::uint64_t begin = 0;  // of its bytes, from the file's start
  std::uint64_t end = 0;    // behind its last byte
};

// Views of the file that was parsed.
struct GgufHeader {
  std::uint32_t version = 0;
  bool packed = false;  // a packed store
  std::uint64_t alignment = 32;
  std::uint64_t data_begin = 0;
  std::vector<GgufEntry> entries;   // sorted by key
  std::vector<GgufTensor> tensors;  // sorted by name

  // Null when there is none.
  [[nodiscard]] const GgufEntry* find(std::string_view key) const;

  // What a key says: nothing when the file does not have it; fails with gguf_key when it is of another type.
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view key) const;
  [[nodiscard]] Result<std::optional<double>> number(std::string_view key) const;
  [[nodiscard]] Result<std::optional<bool>> boolean(std::string_view key) const;
  [[nodiscard]] Result<std::optional<std::string_view>> text(std::string_view key) const;
  [[nodiscard]] Result<std::optional<std::vector<std::string_view>>> texts(
      std::string_view key) const;
  [[nodiscard]] Result<std::optional<std::vector<std::int64_t>>> integers(
      std::string_view key) const;
};

// Checks a whole file and lists what it has. Memory grows with the bytes that are there, whatever they promise; the
// tensors' bytes are not looked at. Fails with one of E1202 to E1209, file_empty, bad_magic, lfs_pointer, bad_header,
// duplicate_tensor, shape_overflow, tensor_range, tensor_overlap or unknown_dtype, without a file name.
Result<GgufHeader> parse_gguf(std::span<const std::byte> file);

// The number of a tensor type in GGUF files, or in packed stores, which have int4 besides; nothing for types that they
// do not have.
std::optional<std::uint32_t> gguf_number_of(DType dtype, bool in_packed_store = false);

}  // namespace herd::checkpoint
