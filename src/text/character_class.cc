// Two levels: 8704 pages of 128 code points point at blocks of flags; equal blocks of one class are shared, which
// leaves about 300. Unpacked from unicode_ranges.h at the first use, in tens of microseconds (GCC would do it while
// compiling; clang stops such a long evaluation).
#include "text/character_class.h"

#include <algorithm>

#include "text/unicode_ranges.h"

namespace herd::text {
namespace {

constexpr std::size_t block_size = 128;
constexpr std::size_t pages = 0x110000 / block_size;
constexpr std::size_t class_count = class_flags.size();

constexpr char32_t start_of(std::size_t range) {
  return range < unicode_ranges.size() ? unicode_ranges[range] >> 4 : 0x110000;
}

// Blocks that hold more than one class; the first `class_count` blocks are the uniform ones.
constexpr std::size_t mixed_blocks() {
  std::size_t count = 0;
  std::size_t range = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    while (start_of(range + 1) <= page * block_size) ++range;
    count += start_of(range + 1) < (page + 1) * block_size;
  }
  return count;
}

struct Table {
  std::array<std::uint16_t, pages> block_of_page{};
  std::array<std::array<std::uint8_t, block_size>, class_count + mixed_blocks()> blocks{};
};

Table build() {
  Table table;
  for (std::size_t c = 0; c < class_count; ++c) table.blocks[c].fill(static_cast<std::uint8_t>(c));
  std::size_t next = class_count;
  std::size_t range = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    while (start_of(range + 1) <= page * block_size) ++range;
    if (start_of(range + 1) >= (page + 1) * block_size) {
      table.block_of_page[page] = static_cast<std::uint16_t>(unicode_ranges[range] & 15);
      continue;
    }
    table.block_of_page[page] = static_cast<std::uint16_t>(next);
    std::size_t inside = range;
    for (std::size_t i = 0; i < block_size; ++i) {
      while (start_of(inside + 1) <= page * block_size + i) ++inside;
      table.blocks[next][i] = static_cast<std::uint8_t>(unicode_ranges[inside] & 15);
    }
    ++next;
  }
  return table;
}

const Table& table() {
  static const Table table = build();
  return table;
}

}  // namespace

int class_of(char32_t code_point) {
  if (code_point > 0x10FFFF) return 0;
  const Table& classes = table();
  const std::size_t block = classes.block_of_page[code_point / block_size];
  return classes.blocks[block][code_point % block_size];
}

std::uint8_t flags_of(char32_t code_point) {
  return class_flags[static_cast<std::size_t>(class_of(code_point))];
}

}  // namespace herd::text
