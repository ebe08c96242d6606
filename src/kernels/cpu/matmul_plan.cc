#include "kernels/cpu/matmul_plan.h"

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace herd::cpu {
namespace {

// Items a thread should find, so that the last one to finish is not long alone.
constexpr std::int64_t items_per_thread = 6;

// From here on weights are decoded before they are multiplied, which pays when several rows share them: into runs that
// all outputs' sums meet (out_in), and from `many_rows` on into panels.
constexpr std::int64_t some_rows = 9;
constexpr std::int64_t many_rows = 33;

// Rows of one item with many: enough to pay for decoding its weights; few enough that their x stays in the last-level
// cache. Outputs of one item: whole panels on every instruction set, enough of them to pay for copying x; few enough
// that a block of them, decoded, stays in the second-level cache.
constexpr std::int64_t item_rows_min = 96;
constexpr std::int64_t item_rows_max = 1008;
constexpr std::int64_t item_outs_unit = 32;
constexpr std::int64_t item_outs_max = 256;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

// What a group costs beside others: its weights' way from memory weighs as much as some rows' arithmetic.
std::int64_t cost_of(const MatmulGroup& group) {
  return std::max<std::int64_t>(group.row_end - group.row_begin, 16) * group.weight.out;
}

struct ItemSize {
  std::int64_t rows, outs;
};

// Few rows are bound by reading weights. Rows of outputs (out_in) are read whole, so few of them suffice; slices of
// rows of inputs (in_out) should be some cache lines long.
ItemSize few_rows_item(Layout layout, std::int64_t rows, std::int64_t out, std::int64_t wanted) {
  const std::int64_t outs = divide_up(out, wanted);
  if (layout == Layout::out_in)
    return {rows, std::clamp<std::int64_t>(round_up(outs, 16), 16, rows > 1 ? 64 : 32)};
  return {rows, std::clamp<std::int64_t>(round_up(outs, 64), 64, rows == 8 ? 256 : 2048)};
}

// Some rows: their x is turned once an item, so outputs are many.
ItemSize some_rows_item(std::int64_t rows, std::int64_t out, std::int64_t wanted) {
  return {rows, std::clamp<std::int64_t>(round_up(divide_up(out, wanted), 16), 64, 1024)};
}

// Many rows: wide items first, because weights are then decoded once; more items come from fewer rows each, and, where
// rows are too few for that, from fewer outputs.
ItemSize many_rows_item(std::int64_t rows, std::int64_t out, std::int64_t wanted) {
  const std::int64_t widest = divide_up(out, item_outs_max);
  const std::int64_t fewest = divide_up(rows, item_rows_max);
  const std::int64_t row_blocks =
      std::clamp(divide_up(wanted, widest), fewest, std::max(fewest, rows / item_rows_min));
  const std::int64_t out_blocks = std::max(widest, divide_up(wanted, row_blocks));
  return {divide_up(rows, row_blocks), round_up(divide_up(out, out_blocks), item_outs_unit)};
}

// Packed weights: bands of 16 outputs, taken in pairs; few rows read them in one run, which goes on into the thread's
// next item, so that these may be small. With many, sums of an item and a block of x for all its rows share the
// second-level cache.
ItemSize packed_item(std::int64_t rows, std::int64_t out, std::int64_t wanted) {
  constexpr std::int64_t few_rows = 12, rows_max = 192, outs_max = 256, unit = 32;
  if (rows <= few_rows)
    return {rows, std::clamp<std::int64_t>(round_up(divide_up(out, wanted), unit), unit, 64)};
  const std::int64_t row_blocks = divide_up(rows, rows_max);
  const std::int64_t out_blocks = std::max(divide_up(out, outs_max), divide_up(wanted, row_blocks));
  return {divide_up(rows, row_blocks), round_up(divide_up(out, out_blocks), unit)};
}

ItemSize item_of(Layout layout, std::int64_t rows, std::int64_t out, std::int64_t wanted) {
  if (layout == Layout::packed) return packed_item(rows, out, wanted);
  if (rows < some_rows) return few_rows_item(layout, rows, out, wanted);
  if (rows < many_rows && layout == Layout::out_in) return some_rows_item(rows, out, wanted);
  return many_rows_item(rows, out, wanted);
}

}  // namespace

MatmulPlan::MatmulPlan(const MatmulArgs& args, int threads) : args_(args) {
  thread_local std::vector<Cut> cuts;
  cuts.clear();
  std::int64_t cost = 0;
  for (std::int64_t g = 0; g < args.num_groups; ++g)
    if (args.groups[g].row_end > args.groups[g].row_begin) cost += cost_of(args.groups[g]);
  const std::int64_t items_wanted = threads == 1 ? 1 : threads * items_per_thread;

  for (std::int64_t g = 0; g < args.num_groups; ++g) {
    const MatmulGroup& group = args.groups[g];
    const std::int64_t rows = group.row_end - group.row_begin, out = group.weight.out;
    if (rows <= 0 || out <= 0) continue;
    const std::int64_t wanted = divide_up(items_wanted * cost_of(group), cost);
    const ItemSize item = item_of(group.weight.layout, rows, out, wanted);
    const std::int64_t out_blocks = divide_up(out, item.outs);
    cuts.push_back({&group, items_, item.rows, item.outs, out_blocks});
    items_ += divide_up(rows, item.rows) * out_blocks;
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
