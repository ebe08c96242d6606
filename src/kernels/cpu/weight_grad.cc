// Gradients of weight matrices: dW += dY^T X. Work is a block of outputs. Rows pass in panels of 64: of dY the block's
// part is packed in strips of six outputs, of X 64 columns at a time, which then lie in the first-level cache while all
// strips meet them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/weight_grad.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "kernels/cpu/bfloat16_product.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/product-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Each item reads the rows of x once more, so few and large ones; but two threads want a share of a lone matrix.
constexpr std::int64_t outputs_per_item = 192;
static_assert(outputs_per_item <= RoundedInputs::outputs_max);
constexpr std::int64_t items_per_matrix_min = 2;
constexpr std::int64_t rows_per_panel = 64;
constexpr std::int64_t columns_per_panel = 64;

// dy [rows, outputs] -> strips of six outputs (the last may be narrower), each [rows, its outputs].
void pack_strips(const float* dy, std::int64_t stride, std::int64_t rows, std::int64_t outputs,
                 float* packed) {
  for (std::int64_t o = 0; o < outputs; o += product_rows) {
    const std::int64_t width = std::min(product_rows, outputs - o);
    const float* from = dy + o;
    if (width == product_rows) {
      for (std::int64_t t = 0; t < rows; ++t, from += stride, packed += product_rows)
        std::memcpy(packed, from, product_rows * sizeof(float));
      continue;
    }
    for (std::int64_t t = 0; t < rows; ++t, from += stride)
      packed = std::copy_n(from, width, packed);
  }
}

void copy_row(const float* from, std::int64_t count, float* to) {
  const hn::ScalableTag<float> f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::LoadU(f, from + i), f, to + i);
  for (; i < count; ++i) to[i] = from[i];
}

// Outputs [begin, end) of a group.
void weight_grad_outputs(const WeightGradArgs& args, const WeightGradGroup& group,
                         std::int64_t begin, std::int64_t end) {
  float* strips =
      scratch(static_cast<std::size_t>(rows_per_panel * (outputs_per_item + columns_per_panel)));
  float* panel = strips + rows_per_panel * outputs_per_item;
  for (std::int64_t row = group.row_begin; row < group.row_end; row += rows_per_panel) {
    const std::int64_t rows = std::min(rows_per_panel, group.row_end - row);
    pack_strips(args.dy + row * args.dy_stride + group.dy_column + begin, args.dy_stride, rows,
                end - begin, strips);
    for (std::int64_t column = 0; column < group.in; column += columns_per_panel) {
      const std::int64_t columns = std::min(columns_per_panel, group.in - column);
      const float* x = args.x + row * args.x_stride + column;
      for (std::int64_t t = 0; t < rows; ++t)
        copy_row(x + t * args.x_stride, columns, panel + t * columns_per_panel);
      for (std::int64_t o = begin; o < end; o += product_rows) {
        const std::int64_t outputs = std::min(product_rows, end - o);
        product({.a = strips + (o - begin) * rows,
                 .a_row = 1,
                 .a_column = outputs,
                 .b = panel,
                 .b_stride = columns_per_panel,
                 .c = group.dw + o * group.stride + column,
                 .c_stride = group.stride,
                 .M = outputs,
                 .N = columns,
                 .K = rows,
                 .add = true});
      }
    }
  }
}

void bias_grad_outputs(const WeightGradArgs& args, const WeightGradGroup& group, std::int64_t begin,
                       std::int64_t end) {
  if (group.db == nullptr) return;
  for (std::int64_t t = group.row_begin; t < group.row_end; ++t) {
    const float* dy = args.dy + t * args.dy_stride + group.dy_column;
    for (std::int64_t o = begin; o < end; ++o) group.db[o] += dy[o];
  }
}

void weight_grad(const WeightGradArgs& args, const Lane& lane) {
  struct Item {
    std::int64_t group, begin, end;
  };
  std::vector<Item> items;
  for (std::int64_t g = 0; g < args.num_groups; ++g) {
    const std::int64_t out = args.groups[g].out;
    const std::int64_t parts =
        std::max(items_per_matrix_min, (out + outputs_per_item - 1) / outputs_per_item);
    const std::int64_t each =
        ((out + parts - 1) / parts + product_rows - 1) / product_rows * product_rows;
    for (std::int64_t o = 0; o < out; o += each) items.push_back({g, o, std::min(out, o + each)});
  }
  std::optional<RoundedInputs> rounded;
  if (lane.bfloat16 && has_bfloat16_products()) rounded.emplace(args, lane);
  run(lane, static_cast<std::int64_t>(items.size()), 1,
      [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t i = begin; i < end; ++i) {
          const Item& item = items[static_cast<std::size_t>(i)];
          const WeightGradGroup& group = args.groups[item.group];
          if (rounded && RoundedInputs::takes(group))
            rounded->add_gradient(item.group, item.begin, item.end);
          else
            weight_grad_outputs(args, group, item.begin, item.end);
          bias_grad_outputs(args, group, item.begin, item.end);
        }
      });
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {

HWY_EXPORT(weight_grad);

void weight_grad(const WeightGradArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(weight_grad)(args, lane);
}

}  // namespace herd::cpu
#endif
