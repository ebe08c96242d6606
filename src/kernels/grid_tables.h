// The grids of the I formats as the CPU's kernels look them up: four signed bytes an entry, which is what one lane of a
// vector of codes holds. Plain C++20.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "quant/i_grids.h"

namespace herd {

// Entry 2 i + h: numbers 4 h .. 4 h + 3 of vector i of a grid of eight, where `value` gives the number of a place.
template <std::size_t vectors, class Value>
constexpr std::array<std::uint32_t, 2 * vectors> table_of_eights(
    const std::uint16_t (&grid)[vectors], Value value) {
  std::array<std::uint32_t, 2 * vectors> table{};
  for (std::size_t i = 0; i < table.size(); ++i)
    for (unsigned j = 0; j < 4; ++j) {
      const unsigned place = unsigned{grid[i / 2]} >> (2 * (4 * (i % 2) + j)) & 3u;
      table[i] |= (static_cast<std::uint32_t>(value(place)) & 0xffu) << (8 * j);
    }
  return table;
}
template <std::size_t vectors>
constexpr std::array<std::uint32_t, vectors> table_of_fours(const std::uint16_t (&grid)[vectors],
                                                            const std::uint8_t (&levels)[8]) {
  std::array<std::uint32_t, vectors> table{};
  for (std::size_t i = 0; i < vectors; ++i)
    for (unsigned j = 0; j < 4; ++j)
      table[i] |= std::uint32_t{levels[unsigned{grid[i]} >> (3 * j) & 7u]} << (8 * j);
  return table;
}

inline constexpr auto level_of_2 = [](unsigned place) {
  return static_cast<int>(quant::grid_2_levels[place]);
};
// In eighths, because what is added to every number of the format is one.
inline constexpr auto eighths_of_1 = [](unsigned place) {
  return 8 * (static_cast<int>(place) - 1);
};

inline constexpr auto iq2_xxs_table = table_of_eights(quant::iq2_xxs_grid, level_of_2);
inline constexpr auto iq2_xs_table = table_of_eights(quant::iq2_xs_grid, level_of_2);
inline constexpr auto iq2_s_table = table_of_eights(quant::iq2_s_grid, level_of_2);
inline constexpr auto iq1_table = table_of_eights(quant::iq1_grid, eighths_of_1);
inline constexpr auto iq3_xxs_table = table_of_fours(quant::iq3_xxs_grid, quant::iq3_xxs_levels);
inline constexpr auto iq3_s_table = table_of_fours(quant::iq3_s_grid, quant::iq3_s_levels);

// Bytes of ones where a bit of four is set.
inline constexpr auto bytes_of_bits = [] {
  std::array<std::uint32_t, 16> table{};
  for (std::uint32_t bits = 0; bits < 16; ++bits)
    for (std::uint32_t j = 0; j < 4; ++j)
      if ((bits >> j & 1u) != 0) table[bits] |= 0xffu << (8 * j);
  return table;
}();
// The eighth bit, which makes a number of ones even, of four bits.
inline constexpr auto even_bit_of_four = [] {
  std::array<std::uint32_t, 16> table{};
  for (std::uint32_t bits = 0; bits < 16; ++bits)
    table[bits] = ((bits ^ bits >> 1 ^ bits >> 2 ^ bits >> 3) & 1u) << 7;
  return table;
}();
// What the numbers of the formats of one bit are shifted by, in eighths: up, down.
inline constexpr std::array<std::uint32_t, 16> eighth_up_or_down{0x01010101u, 0xffffffffu};

}  // namespace herd
