#include "quant/formats.h"

#include "base/check.h"

namespace herd::quant {
namespace {

constexpr bool sizes_agree() {
  for (const DTypeRow& row : dtype_table) {
    if (row.block == 1) continue;
    bool agrees = false;
    const bool known = with_block(row.type, [&]<class Block> {
      agrees = sizeof(Block) == row.bytes && alignof(Block) == 1 && Block::size == int(row.block);
    });
    if (!known || !agrees) return false;
  }
  return true;
}
static_assert(sizes_agree(),
              "every quantized type has its block, of the bytes that dtype_table says");

}  // namespace

void decode_row(DType type, const void* from, float* to, std::int64_t n) {
  const bool quantized = with_block(type, [&]<class Block> {
    HERD_CHECK(n % Block::size == 0, "{} numbers of {} are not whole blocks", n, row_of(type).name);
    const auto* blocks = static_cast<const Block*>(from);  // of bytes: no alignment
    for (std::int64_t i = 0; i < n / Block::size; ++i) decode(blocks[i], to + i * Block::size);
  });
  if (quantized) return;
  for (std::int64_t i = 0; i < n; ++i) to[i] = element_as_f32(from, type, i);
}

}  // namespace herd::quant
