// Matrix products: every group is cut into items of rows x outputs, all items form one queue, and each is multiplied by
// the kernel of its layout and weight type.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/matmul.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>
#include <optional>

#include "kernels/cpu/bfloat16_product.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/matmul_few_rows-inl.h"
#include "kernels/cpu/matmul_plan.h"
#include "kernels/cpu/matmul_some_rows-inl.h"
#include "kernels/cpu/panel-inl.h"
#include "kernels/cpu/quantized-inl.h"
#include "kernels/cpu/quantized_matmul.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

// Many rows: a block of weights is decoded into panels that stay in the second-level cache while all rows pass. A tile
// of x is copied first, because rows that lie a power of two apart push each other out of the first-level cache.
template <class Weight>
void multiply_many_rows(const MatmulItem& item) {
  const Matrix& w = item.group->weight;
  const std::int64_t outs = item.out_end - item.out_begin;
  const std::int64_t panels = (outs + panel_width - 1) / panel_width;
  const std::int64_t tiles = tiles_of(item.rows());
  constexpr std::int64_t panel_size = block_k * panel_width;
  float* x = scratch(static_cast<std::size_t>(tile_rows_max * block_k + panels * panel_size));
  float* packed = x + tile_rows_max * block_k;

  for (std::int64_t k0 = 0; k0 < w.in; k0 += block_k) {
    const std::int64_t count = std::min(block_k, w.in - k0);
    for (std::int64_t p = 0; p < panels; ++p) {
      const std::int64_t o = item.out_begin + p * panel_width;
      const std::int64_t left = std::min(panel_width, item.out_end - o);
      Bytes from = static_cast<Bytes>(w.data);
      if (w.layout == Layout::out_in)
        pack_columns<Weight>(from + (o * w.stride + k0) * Weight::bytes, w.stride * Weight::bytes,
                             count, left, packed + p * panel_size);
      else
        pack_rows<Weight>(from + (k0 * w.stride + o) * Weight::bytes, w.stride * Weight::bytes,
                          count, left, packed + p * panel_size);
    }
    for (std::int64_t i = 0; i < tiles; ++i) {
      const std::int64_t t = item.row_begin + tile_begin(item.rows(), i);
      const std::int64_t rows = tile_begin(item.rows(), i + 1) - tile_begin(item.rows(), i);
      for (std::int64_t r = 0; r < rows; ++r) pack_x(item.x(t + r) + k0, count, x + r * block_k);
      const TileFunction multiply = tile_of(rows);
      for (std::int64_t p = 0; p < panels; ++p) {
        const std::int64_t o = item.out_begin + p * panel_width;
        multiply(x, packed + p * panel_size, count, item.y(t) + o, item.args->y_stride,
                 std::min(panel_width, item.out_end - o), k0 != 0);
      }
    }
  }
}

template <class Weight>
void multiply_as(const MatmulItem& item) {
  if (item.rows() <= few_rows_max)
    multiply_few_rows<Weight>(item);
  else if (item.rows() <= some_rows_max && item.group->weight.layout == Layout::out_in)
    multiply_some_rows<Weight>(item);
  else
    multiply_many_rows<Weight>(item);
}

void multiply(const MatmulItem& item) {
  const Matrix& w = item.group->weight;
  switch (w.dtype) {
    case DType::f32:
      multiply_as<WeightF32>(item);
      break;
    case DType::bf16:
      multiply_as<WeightBf16>(item);
      break;
    case DType::f16:
      multiply_as<WeightF16>(item);
      break;
    case DType::f8_e4m3:
      multiply_as<WeightF8>(item);
      break;
    default:
      if (is_quantized(w.dtype)) {
        multiply_quantized(item);
        break;
      }
      HERD_CHECK(false, "no product with weights of {}", row_of(w.dtype).name);
  }
}

void finish_impl(const MatmulItem& item) {
  const F32 d;
  const float* scale = item.group->weight.scale;
  const float* bias = item.group->bias;
  const auto finished = [&](std::int64_t o, V32 sum, const auto& load) {
    if (scale != nullptr) sum = hn::Mul(sum, load(scale + o));
    return bias != nullptr ? hn::Add(sum, load(bias + o)) : sum;
  };
  const auto whole = [&](const float* from) { return hn::LoadU(d, from); };
  for (std::int64_t t = item.row_begin; t < item.row_end; ++t) {
    float* y = item.y(t);
    std::int64_t o = item.out_begin;
    for (; o + lanes <= item.out_end; o += lanes)
      hn::StoreU(finished(o, whole(y + o), whole), d, y + o);
    const std::int64_t left = item.out_end - o;
    const auto part = [&](const float* from) { return load_part(from, left); };
    if (left > 0) store_part(finished(o, part(y + o), part), y + o, left);
  }
}

void matmul_impl(const MatmulArgs& args, const Lane& lane) {
  const bool rounds = lane.bfloat16 && has_bfloat16_products();
  const MatmulPlan plan(args, threads_of(lane));
  const QuantizedRows rows(args, lane);
  std::optional<RoundedRows> rounded;
  if (rounds) rounded.emplace(args, lane);
  run(lane, plan.items(), 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const MatmulItem item = plan.item(i);
      if (item.group->weight.layout == Layout::packed) {
        rows.multiply(item);
        continue;
      }
      if (rounds && can_multiply_bfloat16(*item.group))
        rounded->multiply(item);
      else
        multiply(item);
      finish(item);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {

HWY_EXPORT(matmul_impl);
HWY_EXPORT(finish_impl);

void finish(const MatmulItem& item) {
  if (item.group->weight.scale != nullptr || item.group->bias != nullptr)
    HWY_DYNAMIC_DISPATCH(finish_impl)(item);
}

void matmul(const MatmulArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(matmul_impl)(args, lane);
}

}  // namespace herd::cpu
#endif
