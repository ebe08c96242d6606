#include "kernels/cpu/quantized_matmul.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "kernels/cpu/work.h"

namespace herd::cpu {
namespace {

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// As scratch(), which items use on the same thread meanwhile.
QuantizedInputs* row_memory(std::int64_t blocks) {
  thread_local hwy::AlignedFreeUniquePtr<QuantizedInputs[]> memory;
  thread_local std::int64_t capacity = 0;
  if (capacity < blocks) {
    memory.reset();
    memory = hwy::AllocateAligned<QuantizedInputs>(static_cast<std::size_t>(blocks));
    HERD_CHECK(memory != nullptr, "no memory for {} blocks of activations", blocks);
    capacity = blocks;
  }
  return memory.get();
}

std::size_t index_of(InputScales scales) { return static_cast<std::size_t>(scales); }

// What quantizing 256 numbers takes, about.
constexpr double block_ns = 200;

}  // namespace

QuantizedRows::QuantizedRows(const MatmulArgs& args, const Lane& lane) {
  std::int64_t begin = std::numeric_limits<std::int64_t>::max(), end = 0, in = 0;
  std::array<bool, 2> wanted{};
  for (std::int64_t g = 0; g < args.num_groups; ++g) {
    const MatmulGroup& group = args.groups[g];
    if (group.weight.layout != Layout::packed || group.row_begin >= group.row_end) continue;
    HERD_CHECK(in == 0 || in == group.weight.in, "packed weights of {} and of {} inputs", in,
               group.weight.in);
    in = group.weight.in;
    wanted[index_of(input_scales(group.weight.dtype))] = true;
    begin = std::min(begin, group.row_begin);
    end = std::max(end, group.row_end);
  }
  if (begin >= end) return;
  kernels_ = &chosen_quantized_kernels();
  row_begin_ = begin;
  rows_ = end - begin;
  const std::int64_t blocks = divide_up(in, 256);
  const std::int64_t each = blocks * rows_ + rows_beyond;
  QuantizedInputs* to = row_memory(each * std::ranges::count(wanted, true));
  for (const InputScales scales : {InputScales::per_256, InputScales::per_32}) {
    if (!wanted[index_of(scales)]) continue;
    // Tiles read a few rows beyond the last and throw away what comes of them.
    std::memset(static_cast<void*>(to + blocks * rows_), 0, rows_beyond * sizeof(QuantizedInputs));
    share(lane, rows_, block_ns * static_cast<double>(blocks),
          [&](std::int64_t from, std::int64_t until) {
            for (std::int64_t t = from; t < until; ++t)
              kernels_->quantize(scales, args.x + (begin + t) * args.x_stride, in, to + t, rows_);
          });
    blocks_[index_of(scales)] = to;
    to += each;
  }
}

void QuantizedRows::multiply(const MatmulItem& item) const {
  const std::int64_t rows = item.rows(), outs = item.out_end - item.out_begin;
  const std::int64_t bands = divide_up(outs, 16);
  constexpr std::int64_t own = product_scratch / static_cast<std::int64_t>(sizeof(float));
  float* memory = scratch(static_cast<std::size_t>(own + bands * 16 * rows));
  float* sums = memory + own;
  kernels_->multiply({.weight = &item.group->weight,
                      .x = blocks_[index_of(input_scales(item.group->weight.dtype))] +
                           (item.row_begin - row_begin_),
                      .x_step = rows_,
                      .rows = rows,
                      .out_begin = item.out_begin,
                      .out_end = item.out_end,
                      .y = sums},
                     memory);
  for (std::int64_t t = 0; t < rows; ++t) {
    float* y = item.y(item.row_begin + t) + item.out_begin;
    const std::int64_t whole = outs / 16;
    const auto band_at = [&](std::int64_t band) { return sums + (band * rows + t) * 16; };
    for (std::int64_t band = 0; band < whole; ++band)
      std::memcpy(y + band * 16, band_at(band), 16 * sizeof(float));
    if (whole < bands) std::copy_n(band_at(whole), outs - whole * 16, y + whole * 16);
  }
  finish(item);
}

}  // namespace herd::cpu
