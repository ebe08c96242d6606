#include "kernels/cpu/bfloat16_attend.h"

#include "base/check.h"

#if defined(__x86_64__)

#include <algorithm>

#include "kernels/cpu/bfloat16_pairs.h"

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

constexpr std::int64_t half_up(std::int64_t x) { return (x + 1) / 2; }
constexpr std::int64_t panels_of(std::int64_t x) { return (x + panel_width - 1) / panel_width; }
// Pairs of one row of weights_: an odd number of cache lines, so that rows spread over the first-level cache.
constexpr std::int64_t weights_step(std::int64_t length) {
  return (panels_of(length) * 2 | 1) * lanes;
}

// y[r] (+)= x[r] times panels, for rows of pairs `row_step` apart and panels `panel_step` apart.
struct Product {
  const std::uint32_t* x;
  std::int64_t pair_step;
  const std::uint32_t* panels;
  std::int64_t panel_step;
  std::int64_t pairs;
  float* y;
  std::int64_t y_stride;
  std::int64_t rows, outs;
  bool add;
};

template <std::int64_t row_step>
void multiply(const Product& product) {
  for (std::int64_t i = 0; i < tiles_of(product.rows); ++i) {
    const std::int64_t r = tile_begin(product.rows, i);
    const TileFunction tile = tile_of<row_step>(tile_begin(product.rows, i + 1) - r);
    for (std::int64_t o = 0; o < product.outs; o += panel_width)
      tile({.x = product.x + r * row_step,
            .pair_step = product.pair_step,
            .panel = product.panels + o / panel_width * product.panel_step,
            .pairs = product.pairs,
            .y = product.y + r * product.y_stride + o,
            .y_stride = product.y_stride,
            .outs = product.outs - o,
            .add = product.add});
  }
}

// Rows of `count` neighbours, block_pairs apart.
void pack_x(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t count,
            std::uint32_t* x) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t k = 0; k < count; k += panel_width)
      _mm512_storeu_si512(x + r * block_pairs + k / 2, pairs_at(from + r * stride + k, count - k));
}

// [rows, d] to panels of 32 of d, pairs along the rows.
void pack_panels(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t d,
                 std::uint32_t* panels) {
  for (std::int64_t o = 0; o < d; o += panel_width, panels += half_up(rows) * panel_width)
    pack_rows(from + o, stride, rows, d - o, panels);
}

}  // namespace

std::int64_t AttendGradPairs::words(std::int64_t length, std::int64_t rows, std::int64_t d) {
  return 2 * panels_of(length) * half_up(d) * panel_width +
         panels_of(d) * (half_up(length) + half_up(rows)) * panel_width + rows * block_pairs +
         half_up(rows) * weights_step(length);
}

AttendGradPairs::AttendGradPairs(std::uint32_t* memory, const float* k, const float* v,
                                 std::int64_t stride, std::int64_t length, std::int64_t rows,
                                 std::int64_t d)
    : length_(length), d_(d), head_pairs_(half_up(d)), head_panels_(panels_of(d)) {
  HERD_CHECK(d <= bfloat16_head_max, "a head of {}", d);
  const std::int64_t panel = head_pairs_ * panel_width, columns = panels_of(length) * panel;
  key_columns_ = memory;
  value_columns_ = key_columns_ + columns;
  key_rows_ = value_columns_ + columns;
  tile_rows_ = key_rows_ + head_panels_ * half_up(length) * panel_width;
  x_ = tile_rows_ + head_panels_ * half_up(rows) * panel_width;
  weights_ = x_ + rows * block_pairs;
  for (std::int64_t key = 0; key < length; key += panel_width) {
    const std::int64_t outs = std::min(panel_width, length - key), at = key / panel_width * panel;
    pack_columns(k + key * stride, stride, d, outs, key_columns_ + at);
    pack_columns(v + key * stride, stride, d, outs, value_columns_ + at);
  }
  pack_panels(k, stride, length, d, key_rows_);
}

void AttendGradPairs::scores(const float* q, const float* d_out, std::int64_t rows,
                             std::int64_t keys, std::int64_t pitch, float* p, float* dp) {
  const auto against = [&](const float* of_rows, const std::uint32_t* columns, float* out) {
    pack_x(of_rows, d_, rows, d_, x_);
    multiply<block_pairs>({.x = x_,
                           .pair_step = 1,
                           .panels = columns,
                           .panel_step = head_pairs_ * panel_width,
                           .pairs = head_pairs_,
                           .y = out,
                           .y_stride = pitch,
                           .rows = rows,
                           .outs = keys,
                           .add = false});
  };
  against(q, key_columns_, p);
  against(d_out, value_columns_, dp);
}

void AttendGradPairs::add_to_keys(const float* weights, std::int64_t pitch, const float* x,
                                  std::int64_t rows, std::int64_t keys, float* to,
                                  std::int64_t stride) {
  const std::int64_t step = weights_step(length_);
  pack_panels(x, d_, rows, d_, tile_rows_);
  for (std::int64_t key = 0; key < keys; key += panel_width)
    pack_rows(weights + key, pitch, rows, keys - key, weights_ + key, step);
  multiply<1>({.x = weights_,
               .pair_step = step,
               .panels = tile_rows_,
               .panel_step = half_up(rows) * panel_width,
               .pairs = half_up(rows),
               .y = to,
               .y_stride = stride,
               .rows = keys,
               .outs = d_,
               .add = true});
}

void AttendGradPairs::query_gradient(const float* ds, std::int64_t pitch, std::int64_t queries,
                                     std::int64_t keys, float* dq, std::int64_t stride) {
  for (std::int64_t key = 0; key < keys; key += block_k) {
    const std::int64_t count = std::min(block_k, keys - key);
    pack_x(ds + key, pitch, queries, count, x_);
    multiply<block_pairs>({.x = x_,
                           .pair_step = 1,
                           .panels = key_rows_ + key / 2 * panel_width,
                           .panel_step = half_up(length_) * panel_width,
                           .pairs = half_up(count),
                           .y = dq,
                           .y_stride = stride,
                           .rows = queries,
                           .outs = d_,
                           .add = key != 0});
  }
}

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

#else

namespace herd::cpu {

std::int64_t AttendGradPairs::words(std::int64_t, std::int64_t, std::int64_t) { return 0; }
AttendGradPairs::AttendGradPairs(std::uint32_t*, const float*, const float*, std::int64_t,
                                 std::int64_t, std::int64_t, std::int64_t) {
  HERD_CHECK(false, "no products in bfloat16");
}
void AttendGradPairs::scores(const float*, const float*, std::int64_t, std::int64_t, std::int64_t,
                             float*, float*) {}
void AttendGradPairs::add_to_keys(const float*, std::int64_t, const float*, std::int64_t,
                                  std::int64_t, float*, std::int64_t) {}
void AttendGradPairs::query_gradient(const float*, std::int64_t, std::int64_t, std::int64_t, float*,
                                     std::int64_t) {}

}  // namespace herd::cpu

#endif
