// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78): the checksum of record files.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace herd {

namespace detail {

inline constexpr auto crc32c_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}();

}  // namespace detail

constexpr std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes)
    crc = (crc >> 8) ^ detail::crc32c_table[(crc ^ static_cast<unsigned char>(c)) & 0xffu];
  return ~crc;
}

}  // namespace herd
