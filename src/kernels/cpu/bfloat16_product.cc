// Both products are one: rows of pairs (x, or dY turned round) times a panel of pairs (weights, or X).
#include "kernels/cpu/bfloat16_product.h"

#include "base/check.h"

#if defined(__x86_64__)

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <limits>

#include "kernels/cpu/bfloat16_pairs.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/work.h"

HWY_PUSH_ATTRIBUTES(HERD_BFLOAT16_ATTRIBUTES)
namespace herd::cpu {
namespace {

using pairs::block_k;
using pairs::block_pairs;
using pairs::lanes;
using pairs::pack_columns;
using pairs::pack_rows;
using pairs::pairs_at;
using pairs::panel_width;
using pairs::tile_begin;
using pairs::tile_of;
using pairs::TileFunction;
using pairs::tiles_of;

std::uint32_t* pair_scratch(std::int64_t pairs) {
  return static_cast<std::uint32_t*>(static_cast<void*>(scratch(static_cast<std::size_t>(pairs))));
}

// As scratch(), which items use on the same thread meanwhile.
std::uint32_t* row_memory(std::int64_t pairs) {
  thread_local hwy::AlignedFreeUniquePtr<std::uint32_t[]> memory;
  thread_local std::int64_t capacity = 0;
  if (capacity < pairs) {
    memory.reset();
    memory = hwy::AllocateAligned<std::uint32_t>(static_cast<std::size_t>(pairs));
    HERD_CHECK(memory != nullptr, "no memory for {} pairs of inputs", pairs);
    capacity = pairs;
  }
  return memory.get();
}

// What rounding 256 numbers takes, about.
constexpr double block_ns = 15;

}  // namespace

bool can_multiply_bfloat16(const MatmulGroup& group) {
  const Matrix& weight = group.weight;
  return (weight.dtype == DType::f32 || weight.dtype == DType::bf16) &&
         weight.layout != Layout::packed && group.row_end - group.row_begin >= bfloat16_rows_min;
}

RoundedRows::RoundedRows(const MatmulArgs& args, const Lane& lane) {
  std::int64_t begin = std::numeric_limits<std::int64_t>::max(), end = 0, in = 0;
  for (std::int64_t g = 0; g < args.num_groups; ++g) {
    const MatmulGroup& group = args.groups[g];
    if (!can_multiply_bfloat16(group)) continue;
    HERD_CHECK(in == 0 || in == group.weight.in, "weights of {} and of {} inputs", in,
               group.weight.in);
    in = group.weight.in;
    begin = std::min(begin, group.row_begin);
    end = std::max(end, group.row_end);
  }
  if (begin >= end) return;
  row_begin_ = begin;
  rows_ = end - begin;
  const std::int64_t blocks = (in + block_k - 1) / block_k;
  std::uint32_t* to = row_memory(blocks * rows_ * block_pairs);
  pairs_ = to;
  share(lane, rows_, block_ns * static_cast<double>(blocks),
        [&](std::int64_t from, std::int64_t until) {
          for (std::int64_t row = from; row < until; ++row) {
            const float* x = args.x + (row_begin_ + row) * args.x_stride;
            for (std::int64_t k = 0; k < in; k += 2 * lanes)
              _mm512_store_si512(to + (k / block_k * rows_ + row) * block_pairs + k % block_k / 2,
                                 pairs_at(x + k, in - k));
          }
        });
}

// Weights are float32 or bfloat16.
template <class Weight>
void RoundedRows::multiply_by(const MatmulItem& item) const {
  const Matrix& w = item.group->weight;
  const std::int64_t outs = item.out_end - item.out_begin;
  const std::int64_t panels = (outs + panel_width - 1) / panel_width;
  constexpr std::int64_t panel_size = block_pairs * panel_width;
  std::uint32_t* packed = pair_scratch(panels * panel_size);
  const auto* weights = static_cast<const Weight*>(w.data);
  for (std::int64_t k0 = 0; k0 < w.in; k0 += block_k) {
    const std::int64_t count = std::min(block_k, w.in - k0);
    for (std::int64_t p = 0; p < panels; ++p) {
      const std::int64_t o = item.out_begin + p * panel_width;
      const std::int64_t left = std::min(panel_width, item.out_end - o);
      if (w.layout == Layout::out_in)
        pack_columns(weights + o * w.stride + k0, w.stride, count, left, packed + p * panel_size);
      else
        pack_rows(weights + k0 * w.stride + o, w.stride, count, left, packed + p * panel_size);
    }
    const std::uint32_t* block = pairs_ + k0 / block_k * rows_ * block_pairs;
    for (std::int64_t i = 0; i < tiles_of(item.rows()); ++i) {
      const std::int64_t t = item.row_begin + tile_begin(item.rows(), i);
      const std::int64_t rows = tile_begin(item.rows(), i + 1) - tile_begin(item.rows(), i);
      const TileFunction tile = tile_of<block_pairs>(rows);
      // A tile's rows come from the second-level cache: the next ones are asked for while these multiply.
      const std::uint32_t* next = block + (t - row_begin_ + rows) * block_pairs;
      const std::int64_t ahead = rows * block_pairs / panels;
      for (std::int64_t p = 0; p < panels; ++p) {
        const std::int64_t o = item.out_begin + p * panel_width;
        for (std::int64_t word = p * ahead; word < (p + 1) * ahead; word += lanes)
          __builtin_prefetch(next + word);
        tile({.x = block + (t - row_begin_) * block_pairs,
              .pair_step = 1,
              .panel = packed + p * panel_size,
              .pairs = (count + 1) / 2,
              .y = item.y(t) + o,
              .y_stride = item.args->y_stride,
              .outs = item.out_end - o,
              .add = k0 != 0});
      }
    }
  }
}

void RoundedRows::multiply(const MatmulItem& item) const {
  if (item.group->weight.dtype == DType::f32)
    multiply_by<float>(item);
  else
    multiply_by<std::uint16_t>(item);
}

std::int64_t RoundedInputs::Range::block_size() const {
  return (in + panel_width - 1) / panel_width * block_pairs * panel_width;
}

RoundedInputs::RoundedInputs(const WeightGradArgs& args, const Lane& lane) : args_(args) {
  std::int64_t pairs = 0;
  struct Block {
    std::size_t range;
    std::int64_t index;
  };
  std::vector<Block> blocks;
  for (std::int64_t g = 0; g < args.num_groups; ++g) {
    const WeightGradGroup& group = args.groups[g];
    const auto is_of_group = [&](const Range& range) {
      return range.row_begin == group.row_begin && range.row_end == group.row_end &&
             range.in == group.in;
    };
    const auto known = takes(group) ? std::ranges::find_if(ranges_, is_of_group) : ranges_.end();
    range_of_.push_back(static_cast<std::size_t>(known - ranges_.begin()));
    if (!takes(group) || known != ranges_.end()) continue;
    ranges_.push_back({group.row_begin, group.row_end, group.in, pairs});
    const std::int64_t count = (group.row_end - group.row_begin + block_k - 1) / block_k;
    for (std::int64_t b = 0; b < count; ++b) blocks.push_back({ranges_.size() - 1, b});
    pairs += count * ranges_.back().block_size();
  }
  if (blocks.empty()) return;
  std::uint32_t* to = row_memory(pairs);
  pairs_ = to;
  run(lane, std::ssize(blocks), 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Block& block = blocks[static_cast<std::size_t>(i)];
      const Range& range = ranges_[block.range];
      pack(range, block.index, to + range.first_pair + block.index * range.block_size());
    }
  });
}

void RoundedInputs::pack(const Range& range, std::int64_t block, std::uint32_t* to) const {
  const std::int64_t row = range.row_begin + block * block_k;
  const std::int64_t count = std::min(block_k, range.row_end - row);
  for (std::int64_t column = 0; column < range.in;
       column += panel_width, to += block_pairs * panel_width)
    pack_rows(args_.x + row * args_.x_stride + column, args_.x_stride, count, range.in - column,
              to);
}

void RoundedInputs::add_gradient(std::int64_t index, std::int64_t begin, std::int64_t end) const {
  const std::int64_t outs = end - begin;
  HERD_CHECK(outs <= outputs_max, "{} outputs", outs);
  const WeightGradGroup& group = args_.groups[index];
  const Range& range = ranges_[range_of_[static_cast<std::size_t>(index)]];
  const std::uint32_t* x = pairs_ + range.first_pair;
  // dY as it lies, [pairs, width]: the rows of a tile are neighbours.
  const std::int64_t width = (outs + panel_width - 1) / panel_width * panel_width;
  std::uint32_t* dy = pair_scratch(block_pairs * width);
  for (std::int64_t row = group.row_begin; row < group.row_end; row += block_k) {
    const std::int64_t count = std::min(block_k, group.row_end - row), pairs = (count + 1) / 2;
    const float* from = args_.dy + row * args_.dy_stride + group.dy_column + begin;
    for (std::int64_t o = 0; o < outs; o += panel_width)
      pack_rows(from + o, args_.dy_stride, count, outs - o, dy + o, width);
    for (std::int64_t column = 0; column < group.in;
         column += panel_width, x += block_pairs * panel_width)
      for (std::int64_t i = 0; i < tiles_of(outs); ++i) {
        const std::int64_t o = tile_begin(outs, i);
        tile_of<1>(tile_begin(outs, i + 1) -
                   o)({.x = dy + o,
                       .pair_step = width,
                       .panel = x,
                       .pairs = pairs,
                       .y = group.dw + (begin + o) * group.stride + column,
                       .y_stride = group.stride,
                       .outs = group.in - column,
                       .add = true});
      }
  }
}

double bfloat16_chains(std::int64_t rounds) {
  constexpr int chains = 16;
  const auto factor = (__m512bh)_mm512_set1_epi32(0x3f003f00);  // a half
  __m512 sum[chains];
  HERD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = _mm512_set1_ps(static_cast<float>(c));
  for (std::int64_t i = 0; i < rounds; ++i) {
    HERD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = _mm512_dpbf16_ps(sum[c], factor, factor);
    HERD_UNROLL for (int c = 0; c < chains; ++c) asm volatile("" : "+v"(sum[c]));
  }
  return 4.0 * chains * lanes * static_cast<double>(rounds);
}

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

namespace herd::cpu {

bool has_bfloat16_products() {
  static const bool has = __builtin_cpu_supports("avx512bf16") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return has && chosen_instruction_set() == "AVX3";
}

}  // namespace herd::cpu

#else

namespace herd::cpu {

bool has_bfloat16_products() { return false; }
bool can_multiply_bfloat16(const MatmulGroup&) { return false; }
RoundedRows::RoundedRows(const MatmulArgs&, const Lane&) {}
void RoundedRows::multiply(const MatmulItem&) const {
  HERD_CHECK(false, "no products in bfloat16");
}
RoundedInputs::RoundedInputs(const WeightGradArgs& args, const Lane&) : args_(args) {}
void RoundedInputs::add_gradient(std::int64_t, std::int64_t, std::int64_t) const {
  HERD_CHECK(false, "no products in bfloat16");
}
double bfloat16_chains(std::int64_t) { return 0; }

}  // namespace herd::cpu

#endif
