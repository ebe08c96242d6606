#include "kernels/cpu/matmul_plan.h"

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace herd::cpu {
namespace {

// Items a thread should find, so that the last one to finish is not long alone.
constexpr std::int64_t items_per_thread = 6;

// Rows of one item: enough to pay for decoding its weights; few enough that their x stays in the last-level cache.
constexpr std::int64_t item_rows_min = 96;
constexpr std::int64_t item_rows_max = 1008;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

struct Outs {
  std::int64_t unit, max;
};

// Widths of an item by layout. Rows of outputs (out_in) are read whole, so few of them suffice; slices of rows of
// inputs (in_out) should be some cache lines long. With many rows, a decoded block must stay in the second-level cache.
Outs outs_of(Layout layout, std::int64_t rows) {
  if (layout == Layout::out_in) return {.unit = 4, .max = rows > 1 ? 64 : 32};
  return {.unit = 64, .max = rows >= 8 ? 256 : 2048};
}

}  // namespace

MatmulPlan::MatmulPlan(const MatmulArgs& args, int threads) : args_(args) {
  thread_local std::vector<Cut> cuts;
  cuts.clear();
  std::int64_t outs_total = 0;
  for (std::int64_t g = 0; g < args.num_groups; ++g)
    if (args.groups[g].row_end > args.groups[g].row_begin) outs_total += args.groups[g].weight.out;
  const std::int64_t items_wanted = threads == 1 ? 1 : threads * items_per_thread;

  for (std::int64_t g = 0; g < args.num_groups; ++g) {
    const MatmulGroup& group = args.groups[g];
    const std::int64_t rows = group.row_end - group.row_begin;
    if (rows <= 0 || group.weight.out <= 0) continue;
    const Outs outs = outs_of(group.weight.layout, rows);
    const std::int64_t item_outs =
        std::clamp(round_up(divide_up(outs_total, items_wanted), outs.unit), outs.unit, outs.max);
    const std::int64_t out_blocks = divide_up(group.weight.out, item_outs);
    const std::int64_t row_blocks =
        divide_up(items_wanted * group.weight.out, outs_total * out_blocks);
    const std::int64_t item_rows = std::clamp(round_up(divide_up(rows, row_blocks), item_rows_min),
                                              item_rows_min, item_rows_max);
    cuts.push_back({&group, items_, item_rows, item_outs, out_blocks});
    items_ += divide_up(rows, item_rows) * out_blocks;
  }
  cuts_ = cuts;
}

MatmulItem MatmulPlan::item(std::int64_t index) const {
  HERD_CHECK(index >= 0 && index < items_, "item {} of {}", index, items_);
  const auto after = std::ranges::upper_bound(cuts_, index, {}, &Cut::first_item);
  const Cut& cut = *(after - 1);
  const std::int64_t within = index - cut.first_item;
  const std::int64_t row_begin = cut.group->row_begin + within / cut.out_blocks * cut.item_rows;
  const std::int64_t out_begin = within % cut.out_blocks * cut.item_outs;
  return {.args = &args_,
          .group = cut.group,
          .row_begin = row_begin,
          .row_end = std::min(row_begin + cut.item_rows, cut.group->row_end),
          .out_begin = out_begin,
          .out_end = std::min(out_begin + cut.item_outs, cut.group->weight.out)};
}

}  // namespace herd::cpu
