// Reads little-endian values from bytes that nobody vouches for. Every step is checked against what is left;
// parsers hold one of these and never index a buffer themselves.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"
#include "base/result.h"

namespace herd {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t left() const { return bytes_.size() - position_; }

  // The next sizeof(T) bytes as a little-endian T. Fails with tensor_range when fewer are left.
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] Result<T> pod() {
    static_assert(std::endian::native == std::endian::little, "herd's files are little-endian");
    if (left() < sizeof(T)) return ended(sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  // The next `count` bytes, not copied.
  [[nodiscard]] Result<std::span<const std::byte>> bytes(std::uint64_t count) {
    if (left() < count) return ended(count);
    auto view = bytes_.subspan(position_, count);
    position_ += count;
    return view;
  }

  [[nodiscard]] Result<std::string_view> text(std::uint64_t count) {
    HERD_TRY(auto view, bytes(count));
    return text_of(view);
  }

  [[nodiscard]] Result<void> seek(std::uint64_t position) {
    if (position > bytes_.size())
      return fail(Code::tensor_range, "position {} is past the end at {}", position, bytes_.size());
    position_ = position;
    return {};
  }

 private:
  [[nodiscard]] std::unexpected<Error> ended(std::uint64_t wanted) const {
    return fail(Code::tensor_range, "wanted {} bytes at byte {}, but only {} are left", wanted,
                position_, left());
  }

  std::span<const std::byte> bytes_;
  std::uint64_t position_ = 0;
};

}  // namespace herd
