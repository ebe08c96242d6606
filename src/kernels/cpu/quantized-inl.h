// Products with weights of any block format: blocks are decoded to floats, and these multiplied as float32 weights are,
// so that a product has the bits that it has with the decoded matrix. Correct for every type and layout and not fast:
// the types that matter have kernels of their own for packed matrices.

// clang-format off
#if defined(HERD_KERNELS_CPU_QUANTIZED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_QUANTIZED_INL_H_
#undef HERD_KERNELS_CPU_QUANTIZED_INL_H_
#else
#define HERD_KERNELS_CPU_QUANTIZED_INL_H_
#endif
// clang-format on

#include <algorithm>

#include "kernels/cpu/matmul_plan.h"
#include "kernels/cpu/panel-inl.h"
#include "kernels/cpu/work.h"
#include "quant/formats.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

// Numbers [begin, end) of stored row `row`, decoded with the blocks around them to `to`; where number `begin` is.
inline const float* decode_part(const Matrix& w, std::int64_t row, std::int64_t begin,
                                std::int64_t end, float* to) {
  const auto block = static_cast<std::int64_t>(row_of(w.dtype).block);
  const std::int64_t first = begin / block * block;
  const std::int64_t last = (end + block - 1) / block * block;
  quant::decode_row(w.dtype, static_cast<Bytes>(w.data) + bytes_of(w.dtype, row * w.stride + first),
                    to, last - first);
  return to + (begin - first);
}

// Inputs [k0, k0 + count) of outputs [o, o + left) as a panel. `floats` holds what is decoded.
inline void pack_quantized(const Matrix& w, std::int64_t o, std::int64_t left, std::int64_t k0,
                           std::int64_t count, float* floats, float* panel) {
  constexpr std::int64_t bytes = WeightF32::bytes;
  if (w.layout == Layout::out_in) {
    for (std::int64_t i = 0; i < left; ++i)
      decode_part(w, o + i, k0, k0 + count, floats + i * block_k);  // k0 is a multiple of any block
    pack_columns<WeightF32>(static_cast<Bytes>(static_cast<const void*>(floats)), block_k * bytes,
                            count, left, panel);
    return;
  }
  float* row = floats + block_k * panel_width;
  for (std::int64_t k = 0; k < count; ++k) {
    const float* part = decode_part(w, k0 + k, o, o + left, row);
    std::copy(part, part + left, floats + k * panel_width);
  }
  pack_rows<WeightF32>(static_cast<Bytes>(static_cast<const void*>(floats)), panel_width * bytes,
                       count, left, panel);
}

inline void multiply_quantized(const MatmulItem& item) {
  constexpr std::int64_t block_max = 256;
  static_assert(block_k % block_max == 0);
  const Matrix& w = item.group->weight;
  const std::int64_t tiles = tiles_of(item.rows());
  // A row of outputs may begin and end within a block.
  constexpr std::int64_t row_part = panel_width + 2 * block_max;
  float* x = scratch(
      static_cast<std::size_t>(tile_rows_max * block_k + 2 * block_k * panel_width + row_part));
  float* panel = x + tile_rows_max * block_k;
  float* floats = panel + block_k * panel_width;
  for (std::int64_t o = item.out_begin; o < item.out_end; o += panel_width) {
    const std::int64_t left = std::min(panel_width, item.out_end - o);
    for (std::int64_t k0 = 0; k0 < w.in; k0 += block_k) {
      const std::int64_t count = std::min(block_k, w.in - k0);
      pack_quantized(w, o, left, k0, count, floats, panel);
      for (std::int64_t i = 0; i < tiles; ++i) {
        const std::int64_t t = item.row_begin + tile_begin(item.rows(), i);
        const std::int64_t rows = tile_begin(item.rows(), i + 1) - tile_begin(item.rows(), i);
        for (std::int64_t r = 0; r < rows; ++r) pack_x(item.x(t + r) + k0, count, x + r * block_k);
        tile_of(rows)(x, panel, count, item.y(t) + o, item.args->y_stride, left, k0 != 0);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
