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

// Words of [length, d] as panels of 32 rows with pairs along d, and as panels of 32 of d with pairs along the rows.
constexpr std::int64_t column_words(std::int64_t length, std::int64_t d) {
  return panels_of(length) * half_up(d) * panel_width;
}
constexpr std::int64_t row_words(std::int64_t length, std::int64_t d) {
  return panels_of(d) * half_up(length) * panel_width;
}

// [length, d], rows `stride` apart, to panels of 32 rows, pairs along d.
void pack_across(const float* from, std::int64_t stride, std::int64_t length, std::int64_t d,
                 std::uint32_t* columns) {
  for (std::int64_t key = 0; key < length; key += panel_width) {
    const std::int64_t outs = std::min(panel_width, length - key);
    pack_columns(from + key * stride, stride, d, outs,
                 columns + key / panel_width * half_up(d) * panel_width);
  }
}

// out [rows, pitch] = q k^T: rows [rows, d] with the first `keys` of pack_across(). x: room for the rows.
void rows_with_columns(const float* of_rows, std::int64_t rows, std::int64_t d,
                       const std::uint32_t* columns, std::int64_t keys, std::uint32_t* x,
                       float* out, std::int64_t pitch) {
  pack_x(of_rows, d, rows, d, x);
  multiply<block_pairs>({.x = x,
                         .pair_step = 1,
                         .panels = columns,
                         .panel_step = half_up(d) * panel_width,
                         .pairs = half_up(d),
                         .y = out,
                         .y_stride = pitch,
                         .rows = rows,
                         .outs = keys,
                         .add = false});
}

// out [queries, d] = weights [queries, pitch] of the first `keys` times pack_panels() of `length` rows.
void weights_with_rows(const float* weights, std::int64_t pitch, std::int64_t queries,
                       std::int64_t keys, const std::uint32_t* panels, std::int64_t length,
                       std::int64_t d, std::uint32_t* x, float* out, std::int64_t stride) {
  for (std::int64_t key = 0; key < keys; key += block_k) {
    const std::int64_t count = std::min(block_k, keys - key);
    pack_x(weights + key, pitch, queries, count, x);
    multiply<block_pairs>({.x = x,
                           .pair_step = 1,
                           .panels = panels + key / 2 * panel_width,
                           .panel_step = half_up(length) * panel_width,
                           .pairs = half_up(count),
                           .y = out,
                           .y_stride = stride,
                           .rows = queries,
                           .outs = d,
                           .add = key != 0});
  }
}

}  // namespace

std::int64_t AttendPairs::words(std::int64_t length, std::int64_t rows, std::int64_t d) {
  return column_words(length, d) + row_words(length, d) + rows * block_pairs;
}

AttendPairs::AttendPairs(std::uint32_t* memory, const float* k, const float* v, std::int64_t stride,
                         std::int64_t length, std::int64_t d)
    : length_(length), d_(d) {
  HERD_CHECK(d <= bfloat16_head_max, "a head of {}", d);
  key_columns_ = memory;
  value_rows_ = key_columns_ + column_words(length, d);
  x_ = value_rows_ + row_words(length, d);
  pack_across(k, stride, length, d, key_columns_);
  pack_panels(v, stride, length, d, value_rows_);
}

void AttendPairs::scores(const float* q, std::int64_t rows, std::int64_t keys, std::int64_t pitch,
                         float* p) {
  rows_with_columns(q, rows, d_, key_columns_, keys, x_, p, pitch);
}

void AttendPairs::values(const float* p, std::int64_t pitch, std::int64_t queries,
                         std::int64_t keys, float* o, std::int64_t stride) {
  weights_with_rows(p, pitch, queries, keys, value_rows_, length_, d_, x_, o, stride);
}

std::int64_t AttendGradPairs::words(std::int64_t length, std::int64_t rows, std::int64_t d) {
  return 2 * column_words(length, d) + row_words(length, d) + row_words(rows, d) +
         rows * block_pairs + half_up(rows) * weights_step(length);
}

AttendGradPairs::AttendGradPairs(std::uint32_t* memory, const float* k, const float* v,
                                 std::int64_t stride, std::int64_t length, std::int64_t rows,
                                 std::int64_t d)
    : length_(length), d_(d) {
  HERD_CHECK(d <= bfloat16_head_max, "a head of {}", d);
  key_columns_ = memory;
  value_columns_ = key_columns_ + column_words(length, d);
  key_rows_ = value_columns_ + column_words(length, d);
  tile_rows_ = key_rows_ + row_words(length, d);
  x_ = tile_rows_ + row_words(rows, d);
  weights_ = x_ + rows * block_pairs;
  pack_across(k, stride, length, d, key_columns_);
  pack_across(v, stride, length, d, value_columns_);
  pack_panels(k, stride, length, d, key_rows_);
}

void AttendGradPairs::scores(const float* q, const float* d_out, std::int64_t rows,
                             std::int64_t keys, std::int64_t pitch, float* p, float* dp) {
  rows_with_columns(q, rows, d_, key_columns_, keys, x_, p, pitch);
  rows_with_columns(d_out, rows, d_, value_columns_, keys, x_, dp, pitch);
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
  weights_with_rows(ds, pitch, queries, keys, key_rows_, length_, d_, x_, dq, stride);
}

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

#else

namespace herd::cpu {

std::int64_t AttendPairs::words(std::int64_t, std::int64_t, std::int64_t) { return 0; }
AttendPairs::AttendPairs(std::uint32_t*, const float*, const float*, std::int64_t, std::int64_t,
                         std::int64_t) {
  HERD_CHECK(false, "no products in bfloat16");
}
void AttendPairs::scores(const float*, std::int64_t, std::int64_t, std::int64_t, float*) {}
void AttendPairs::values(const float*, std::int64_t, std::int64_t, std::int64_t, float*,
                         std::int64_t) {}
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
