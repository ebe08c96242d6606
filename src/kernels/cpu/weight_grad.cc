// Gradients of weight matrices: dW += dY^T X. Work is a block of outputs; its part of dY is packed in strips of six, so
// that the product reads it in order, and the rows pass in panels that stay in the second-level cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/weight_grad.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/product-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

constexpr std::int64_t outputs_per_item = 48;
constexpr std::int64_t rows_per_panel = 256;

// Outputs [begin, end) of a group.
void weight_grad_outputs(const WeightGradArgs& args, const WeightGradGroup& group,
                         std::int64_t begin, std::int64_t end) {
  float* packed = scratch(static_cast<std::size_t>(rows_per_panel * product_rows));
  for (std::int64_t row = group.row_begin; row < group.row_end; row += rows_per_panel) {
    const std::int64_t rows = std::min(rows_per_panel, group.row_end - row);
    const float* dy = args.dy + row * args.dy_stride + group.dy_column;
    for (std::int64_t o = begin; o < end; o += product_rows) {
      const std::int64_t outputs = std::min(product_rows, end - o);
      for (std::int64_t t = 0; t < rows; ++t)
        for (std::int64_t j = 0; j < outputs; ++j)
          packed[t * outputs + j] = dy[t * args.dy_stride + o + j];
      product({.a = packed,
               .a_row = 1,
               .a_column = outputs,
               .b = args.x + row * args.x_stride,
               .b_stride = args.x_stride,
               .c = group.dw + o * group.stride,
               .c_stride = group.stride,
               .M = outputs,
               .N = group.in,
               .K = rows,
               .add = true});
    }
  }
  if (group.db == nullptr) return;
  for (std::int64_t t = group.row_begin; t < group.row_end; ++t) {
    const float* dy = args.dy + t * args.dy_stride + group.dy_column;
    for (std::int64_t o = begin; o < end; ++o) group.db[o] += dy[o];
  }
}

void weight_grad(const WeightGradArgs& args, const Lane& lane) {
  struct Item {
    const WeightGradGroup* group;
    std::int64_t begin;
  };
  std::vector<Item> items;
  for (std::int64_t g = 0; g < args.num_groups; ++g)
    for (std::int64_t o = 0; o < args.groups[g].out; o += outputs_per_item)
      items.push_back({&args.groups[g], o});
  run(lane, static_cast<std::int64_t>(items.size()), 1,
      [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t i = begin; i < end; ++i) {
          const Item& item = items[static_cast<std::size_t>(i)];
          weight_grad_outputs(args, *item.group, item.begin,
                              std::min(item.group->out, item.begin + outputs_per_item));
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
