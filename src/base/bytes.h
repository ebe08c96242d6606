// Bytes, characters and octets are the same memory under three types, and libraries each want their own. The casts
// between them live here and nowhere else; values of more than a byte are read with ByteReader (base/byte_reader.h).
// Views live as long as what they look at.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace herd {

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::string_view text_of(std::span<const unsigned char> octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// Characters as numbers from 0 to 255, which plain char is not.
inline std::span<const unsigned char> octets_of(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}
inline std::span<const unsigned char> octets_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()};
}

}  // namespace herd
