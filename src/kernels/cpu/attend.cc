// Attention over blocks of 64 keys with an online softmax (Milakov & Gimelshein 2018; Dao et al. 2022). Work is a tile
// of neighbouring rows times one key/value head: two products a block, queries with keys and weights with values, over
// every row of the tile and every query head of the group (five in Llama 4) at once.
//
// A row's bits depend on its query, its keys, `first` and `count` alone: blocks come in order, a score is one chain of
// multiply-adds along d, an output one along the keys that the row sees, and a row skips the blocks that it does not.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attend.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/kv_codes-inl.h"
#include "kernels/cpu/product-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using Vec = hn::Vec<F>;

constexpr float lowest = -std::numeric_limits<float>::infinity();

// Rows that one item takes, so that some 80 queries share a block.
constexpr std::int64_t rows_per_tile(std::int64_t heads) {
  return std::clamp<std::int64_t>(80 / heads, 16, 64);
}
// Up to so many queries read bfloat16 as it lies; for more it is widened once.
constexpr std::int64_t few_queries = product_rows;
// Of one product, so that what all queries multiply with stays in the first-level cache.
constexpr std::int64_t slab = 64;

// The queries of a tile, row by row and head by head, while blocks pass. All of it is the thread's scratch.
struct Tile {
  const AttendArgs& args;
  std::int64_t begin, rows;  // of args
  std::int64_t head;         // key/value head
  std::int64_t heads;        // query heads beside it
  std::int64_t padded;       // d, up to whole vectors
  float* q;                  // [rows * heads, d] scaled
  float* o;                  // [rows * heads, padded] sums of weighted values
  float* score;              // [rows * heads, 64] and the weights that come of them
  float* largest;            // [rows * heads] score so far
  float* total;              // [rows * heads] of the weights
  float* keys;               // [d, 64] of a block, widened
  float* values;             // [64, padded] of a block, widened

  static std::int64_t floats(std::int64_t queries, std::int64_t d, std::int64_t padded) {
    return queries * (d + padded + keys_per_block + 2) + keys_per_block * (d + padded);
  }
  Tile(const AttendArgs& a, std::int64_t from, std::int64_t count, std::int64_t g)
      : args(a), begin(from), rows(count), head(g), heads(a.N / a.G) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(F()));
    padded = (a.d + lanes - 1) / lanes * lanes;
    const std::int64_t queries = rows * heads;
    // Whole vectors first, so that all of those begin at one.
    score = scratch(static_cast<std::size_t>(floats(queries, a.d, padded)));
    keys = score + queries * keys_per_block;
    values = keys + a.d * keys_per_block;
    o = values + keys_per_block * padded;
    q = o + queries * padded;
    largest = q + queries * a.d;
    total = largest + queries;
  }
  [[nodiscard]] const AttendRow& row(std::int64_t t) const { return args.rows[begin + t]; }
  // The keys [low, high) that row t sees of the block that begins at `start`.
  struct Sight {
    std::int64_t low, high;
  };
  [[nodiscard]] Sight sight(std::int64_t t, std::int64_t start) const {
    return {std::clamp<std::int64_t>(row(t).first - start, 0, keys_per_block),
            std::clamp<std::int64_t>(row(t).count - start, 0, keys_per_block)};
  }
  [[nodiscard]] bool sees(std::int64_t t, std::int64_t start) const {
    const Sight all = sight(t, start);
    return all.low < all.high;
  }
};

// rows x [columns] of either type to float32 rows of `padded`, the padding zero.
template <class Number>
void widen(const Number* from, std::int64_t rows, std::int64_t columns, std::int64_t padded,
           float* to) {
  const F f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  for (std::int64_t r = 0; r < rows; ++r, from += columns, to += padded) {
    const std::int64_t whole = columns / lanes * lanes;
    for (std::int64_t i = 0; i < whole; i += lanes) hn::StoreU(load_numbers(from + i), f, to + i);
    for (std::int64_t i = whole; i < columns; ++i) to[i] = number(from[i]);
    std::fill(to + columns, to + padded, 0.0f);
  }
}

// Scores of one query to weights: the running maximum may rise, then what was summed so far shrinks by the same factor.
void weigh(Tile& tile, std::int64_t query, Tile::Sight sees) {
  const F f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  float* score = tile.score + query * keys_per_block;
  const Vec low = hn::Set(f, static_cast<float>(sees.low));
  const Vec high = hn::Set(f, static_cast<float>(sees.high));
  Vec most = hn::Set(f, lowest);
  for (std::int64_t key = 0; key < sees.high; key += lanes) {
    const Vec index = hn::Iota(f, static_cast<float>(key));
    const auto seen = hn::And(hn::Ge(index, low), hn::Lt(index, high));
    const Vec x = hn::IfThenElse(seen, hn::LoadU(f, score + key), hn::Set(f, lowest));
    hn::StoreU(x, f, score + key);
    most = hn::Max(most, x);
  }
  const float before = tile.largest[query];
  const float largest = std::max(before, hn::GetLane(hn::MaxOfLanes(f, most)));
  const float shrink =
      before == lowest ? 0.0f : hn::GetLane(hn::Exp(f, hn::Set(f, before - largest)));
  Vec sum = hn::Zero(f);
  for (std::int64_t key = 0; key < sees.high; key += lanes) {
    // Keys out of sight weigh exp(-inf) = 0.
    const Vec e = hn::Exp(f, hn::Sub(hn::LoadU(f, score + key), hn::Set(f, largest)));
    hn::StoreU(e, f, score + key);
    sum = hn::Add(sum, e);
  }
  tile.total[query] = tile.total[query] * shrink + hn::GetLane(hn::SumOfLanes(f, sum));
  tile.largest[query] = largest;
  if (shrink == 1.0f) return;
  float* o = tile.o + query * tile.padded;
  for (std::int64_t i = 0; i < tile.padded; i += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(f, o + i), hn::Set(f, shrink)), f, o + i);
}

// Scores of rows [t, until) with the first `count` keys of a block [d, 64].
template <class Number>
void score_rows(Tile& tile, std::int64_t t, std::int64_t until, std::int64_t count,
                const Number* keys) {
  const std::int64_t first = t * tile.heads, d = tile.args.d;
  for (std::int64_t i = 0; i < d; i += slab)
    multiply(ProductOf<Number>{.a = tile.q + first * d + i,
                               .a_row = d,
                               .a_column = 1,
                               .b = keys + i * keys_per_block,
                               .b_stride = keys_per_block,
                               .c = tile.score + first * keys_per_block,
                               .c_stride = keys_per_block,
                               .M = (until - t) * tile.heads,
                               .N = count,
                               .K = std::min(slab, d - i),
                               .add = i != 0});
}

// Adds values [low, high) of a block [64, width], weighted, to rows [t, until).
template <class Number>
void add_values(Tile& tile, std::int64_t t, std::int64_t until, Tile::Sight keys,
                const Number* values) {
  const std::int64_t first = t * tile.heads;
  if (keys.low >= keys.high) return;
  for (std::int64_t i = 0; i < tile.padded; i += slab)
    multiply(ProductOf<Number>{.a = tile.score + first * keys_per_block + keys.low,
                               .a_row = keys_per_block,
                               .a_column = 1,
                               .b = values + keys.low * tile.padded + i,
                               .b_stride = tile.padded,
                               .c = tile.o + first * tile.padded + i,
                               .c_stride = tile.padded,
                               .M = (until - t) * tile.heads,
                               .N = std::min(slab, tile.padded - i),
                               .K = keys.high - keys.low,
                               .add = true});
}

// One block for rows [t, until), all of which see something of it.
template <class Key, class Value>
void add_block(Tile& tile, std::int64_t t, std::int64_t until, std::int64_t start, const Key* keys,
               const Value* values) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(F()));
  // What all of them see they take together; a row goes on alone from there, its keys still in order.
  Tile::Sight all{0, keys_per_block};
  std::int64_t furthest = 0;
  bool begin_alike = true;
  for (std::int64_t u = t; u < until; ++u) {
    const Tile::Sight sees = tile.sight(u, start);
    begin_alike &= u == t || sees.low == all.low;
    all = {sees.low, std::min(all.high, sees.high)};
    furthest = std::max(furthest, sees.high);
  }
  if (!begin_alike) all.high = all.low = 0;

  score_rows(tile, t, until, (furthest + lanes - 1) / lanes * lanes, keys);
  for (std::int64_t u = t; u < until; ++u)
    for (std::int64_t h = 0; h < tile.heads; ++h)
      weigh(tile, u * tile.heads + h, tile.sight(u, start));
  add_values(tile, t, until, all, values);
  for (std::int64_t u = t; u < until; ++u) {
    const Tile::Sight sees = tile.sight(u, start);
    add_values(tile, u, u + 1, {begin_alike ? all.high : sees.low, sees.high}, values);
  }
}

// The block of integers of the tile's tables that begins at `start`.
void see_codes(Tile& tile, std::int64_t start) {
  const std::int64_t b = start / keys_per_block, d = tile.args.d;
  const DType dtype = tile.args.kv_dtype;
  decode_keys(kv_codes(tile.row(0).key_blocks[b], dtype, tile.head, d), dtype, d, tile.keys);
  decode_values(kv_codes(tile.row(0).value_blocks[b], dtype, tile.head, d), dtype, d, tile.values);
  for (std::int64_t t = 0, until; t < tile.rows; t = until) {
    until = t + 1;
    if (!tile.sees(t, start)) continue;
    while (until < tile.rows && tile.sees(until, start)) ++until;
    add_block(tile, t, until, start, tile.keys, tile.values);
  }
}

// The block of the tile's tables that begins at `start`: as it lies where that will do, widened where it will not.
template <class Number>
void see_block(Tile& tile, std::int64_t start) {
  const std::int64_t b = start / keys_per_block, d = tile.args.d;
  const std::int64_t from = tile.head * keys_per_block * d;
  const auto* keys = static_cast<const Number*>(tile.row(0).key_blocks[b]) + from;
  const auto* values = static_cast<const Number*>(tile.row(0).value_blocks[b]) + from;
  bool wide = false;  // whether the block is widened already
  for (std::int64_t t = 0, until; t < tile.rows; t = until) {
    until = t + 1;
    if (!tile.sees(t, start)) continue;
    while (until < tile.rows && tile.sees(until, start)) ++until;
    const bool whole = d == tile.padded;
    if (whole && (std::is_same_v<Number, float> || (until - t) * tile.heads <= few_queries)) {
      add_block(tile, t, until, start, keys, values);
      continue;
    }
    if (!wide) widen(values, keys_per_block, d, tile.padded, tile.values);
    if constexpr (std::is_same_v<Number, float>) {
      add_block(tile, t, until, start, keys, tile.values);
    } else {
      if (!wide) widen(keys, d, keys_per_block, keys_per_block, tile.keys);
      add_block(tile, t, until, start, tile.keys, tile.values);
    }
    wide = true;
  }
}

// Rows [begin, end), which share block tables, and the query heads of key/value head g.
void attend_rows(const AttendArgs& args, std::int64_t begin, std::int64_t end, std::int64_t g) {
  Tile tile(args, begin, end - begin, g);
  const bool rotated = is_quantized(args.kv_dtype);
  const std::int64_t queries = tile.rows * tile.heads;
  std::fill(tile.o, tile.o + queries * tile.padded, 0.0f);
  std::fill(tile.largest, tile.largest + queries, lowest);
  std::fill(tile.total, tile.total + queries, 0.0f);
  std::int64_t first = tile.row(0).first, count = 0;
  for (std::int64_t t = 0; t < tile.rows; ++t) {
    first = std::min(first, tile.row(t).first);
    count = std::max(count, tile.row(t).count);
    const float* from = args.q + (begin + t) * args.q_stride + g * tile.heads * args.d;
    float* q = tile.q + t * tile.heads * args.d;
    for (std::int64_t i = 0; i < tile.heads * args.d; ++i) q[i] = from[i] * args.scale;
    if (rotated)
      for (std::int64_t h = 0; h < tile.heads; ++h) rotate(q + h * args.d, args.d);
  }
  for (std::int64_t start = first / keys_per_block * keys_per_block; start < count;
       start += keys_per_block) {
    if (rotated)
      see_codes(tile, start);
    else if (args.kv_dtype == DType::f32)
      see_block<float>(tile, start);
    else
      see_block<std::uint16_t>(tile, start);
  }
  for (std::int64_t t = 0; t < tile.rows; ++t)
    for (std::int64_t h = 0; h < tile.heads; ++h) {
      const std::int64_t query = t * tile.heads + h;
      float* out = args.o + (begin + t) * args.o_stride + (g * tile.heads + h) * args.d;
      const float* o = tile.o + query * tile.padded;
      for (std::int64_t i = 0; i < args.d; ++i) out[i] = o[i] / tile.total[query];
      if (rotated) rotate(out, args.d);
    }
}

void attend(const AttendArgs& args, const Lane& lane) {
  const std::int64_t tile = rows_per_tile(args.N / args.G);
  const std::int64_t tiles = (args.T + tile - 1) / tile;
  run(lane, tiles * args.G, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t last = std::min(args.T, (item / args.G + 1) * tile);
      // A tile may hold rows of several sequences: each run of equal tables is done by itself.
      for (std::int64_t t = item / args.G * tile; t < last;) {
        std::int64_t next = t + 1;
        while (next < last && args.rows[next].key_blocks == args.rows[t].key_blocks &&
               args.rows[next].value_blocks == args.rows[t].value_blocks)
          ++next;
        attend_rows(args, t, next, item % args.G);
        t = next;
      }
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {

HWY_EXPORT(attend);

void attend(const AttendArgs& args, const Lane& lane) { HWY_DYNAMIC_DISPATCH(attend)(args, lane); }

}  // namespace herd::cpu
#endif
