// Attention over blocks of 64 keys with an online softmax (Milakov & Gimelshein 2018; Dao et al. 2022). Work is a tile
// of neighbouring rows times one key/value head: a block's keys and values are widened to float32 once and then serve
// every row of the tile and every query head of the group (five in Llama 4).
//
// A row's bits depend on its query, its keys, `first` and `count` alone: blocks come in order, a score is summed by
// fixed lanes along d, weights meet values in order of their keys, and a row skips the blocks that it does not see.
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

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using Vec = hn::Vec<F>;

// Rows that one item takes; with five heads a group that is 80 queries on each widened block.
constexpr std::int64_t rows_per_tile = 16;

// One query's state while blocks pass.
struct Query {
  const float* q;  // [padded] scaled
  float* o;        // [padded]
  float* out;      // [d] where the result goes
  std::int64_t first, count;
  float largest, total;
};

// [64, d] of a block's head to float32 [64, padded], the padding zero.
void widen(const void* block, DType dtype, std::int64_t from, std::int64_t keys, std::int64_t d,
           std::int64_t padded, float* out) {
  const F f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  for (std::int64_t key = 0; key < keys; ++key, out += padded) {
    std::int64_t i = 0;
    if (dtype == DType::f32) {
      const float* row = static_cast<const float*>(block) + from + key * d;
      for (; i + lanes <= d; i += lanes) hn::StoreU(hn::LoadU(f, row + i), f, out + i);
      for (; i < d; ++i) out[i] = row[i];
    } else {
      const hn::Rebind<std::uint16_t, F> half;
      const hn::RebindToUnsigned<F> wide;
      const std::uint16_t* row = static_cast<const std::uint16_t*>(block) + from + key * d;
      for (; i + lanes <= d; i += lanes) {
        const auto bits = hn::ShiftLeft<16>(hn::PromoteTo(wide, hn::LoadU(half, row + i)));
        hn::StoreU(hn::BitCast(f, bits), f, out + i);
      }
      for (; i < d; ++i) {
        const std::uint32_t bits = std::uint32_t{row[i]} << 16;
        __builtin_memcpy(out + i, &bits, sizeof bits);
      }
    }
    std::fill(out + d, out + padded, 0.0f);
  }
}

// score[key] = q . k for keys [low, high): four keys at a time hide the latency of their sums, each in its own lanes.
void scores(const float* q, const float* keys, std::int64_t low, std::int64_t high,
            std::int64_t padded, float* score) {
  const F f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  std::int64_t key = low;
  for (; key + 4 <= high; key += 4) {
    const float* k = keys + key * padded;
    Vec a = hn::Zero(f), b = a, c = a, d = a;
    for (std::int64_t i = 0; i < padded; i += lanes) {
      const Vec x = hn::Load(f, q + i);
      a = hn::MulAdd(x, hn::Load(f, k + i), a);
      b = hn::MulAdd(x, hn::Load(f, k + padded + i), b);
      c = hn::MulAdd(x, hn::Load(f, k + 2 * padded + i), c);
      d = hn::MulAdd(x, hn::Load(f, k + 3 * padded + i), d);
    }
    score[key] = hn::GetLane(hn::SumOfLanes(f, a));
    score[key + 1] = hn::GetLane(hn::SumOfLanes(f, b));
    score[key + 2] = hn::GetLane(hn::SumOfLanes(f, c));
    score[key + 3] = hn::GetLane(hn::SumOfLanes(f, d));
  }
  for (; key < high; ++key) {
    Vec a = hn::Zero(f);
    for (std::int64_t i = 0; i < padded; i += lanes)
      a = hn::MulAdd(hn::Load(f, q + i), hn::Load(f, keys + key * padded + i), a);
    score[key] = hn::GetLane(hn::SumOfLanes(f, a));
  }
}

// Adds one block to a query: the running maximum may rise, then what was summed so far shrinks by the same factor.
void add_block(Query& query, const float* keys, const float* values, std::int64_t low,
               std::int64_t high, std::int64_t padded) {
  const F f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  HWY_ALIGN float weight[keys_per_block];
  const float lowest = -std::numeric_limits<float>::infinity();
  std::fill(weight, weight + keys_per_block, lowest);
  scores(query.q, keys, low, high, padded, weight);

  float largest = query.largest;
  for (std::int64_t key = low; key < high; ++key) largest = std::max(largest, weight[key]);
  const float shrink =
      query.largest == lowest ? 0.0f : hn::GetLane(hn::Exp(f, hn::Set(f, query.largest - largest)));
  Vec sum = hn::Zero(f);
  for (std::int64_t key = 0; key < keys_per_block;
       key += lanes) {  // lanes are a power of two up to 64
    // Keys out of sight weigh exp(-inf) = 0.
    const Vec e = hn::Exp(f, hn::Sub(hn::Load(f, weight + key), hn::Set(f, largest)));
    hn::Store(e, f, weight + key);
    sum = hn::Add(sum, e);
  }
  query.total = query.total * shrink + hn::GetLane(hn::SumOfLanes(f, sum));
  query.largest = largest;

  for (std::int64_t i = 0; i < padded; i += 4 * lanes) {
    // Up to four vectors of the output at a time stay in registers while all keys pass.
    const std::int64_t parts = std::min<std::int64_t>(4, (padded - i) / lanes);
    Vec part[4];
    for (std::int64_t p = 0; p < parts; ++p)
      part[p] = hn::Mul(hn::Load(f, query.o + i + p * lanes), hn::Set(f, shrink));
    if (parts == 4) {
      Vec a = part[0], b = part[1], c = part[2], d = part[3];
      for (std::int64_t key = low; key < high; ++key) {
        const Vec w = hn::Set(f, weight[key]);
        const float* v = values + key * padded + i;
        a = hn::MulAdd(w, hn::Load(f, v), a);
        b = hn::MulAdd(w, hn::Load(f, v + lanes), b);
        c = hn::MulAdd(w, hn::Load(f, v + 2 * lanes), c);
        d = hn::MulAdd(w, hn::Load(f, v + 3 * lanes), d);
      }
      part[0] = a, part[1] = b, part[2] = c, part[3] = d;
    } else {
      for (std::int64_t p = 0; p < parts; ++p)
        for (std::int64_t key = low; key < high; ++key)
          part[p] = hn::MulAdd(hn::Set(f, weight[key]),
                               hn::Load(f, values + key * padded + i + p * lanes), part[p]);
    }
    for (std::int64_t p = 0; p < parts; ++p) hn::Store(part[p], f, query.o + i + p * lanes);
  }
}

// Rows [begin, end), which share block tables, and the query heads of key/value head g.
void attend_rows(const AttendArgs& args, std::int64_t begin, std::int64_t end, std::int64_t g) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(F()));
  const std::int64_t padded = (args.d + lanes - 1) / lanes * lanes;
  const std::int64_t heads = args.N / args.G;
  const std::int64_t queries = (end - begin) * heads;
  const std::int64_t block_floats = keys_per_block * padded;
  // The state, then aligned rows of numbers: all from the thread's scratch, nothing is allocated.
  const std::int64_t state = (static_cast<std::int64_t>(sizeof(Query)) + 63) / 64 * 16;
  float* memory =
      scratch(static_cast<std::size_t>(queries * (state + 2 * padded) + 2 * block_floats));
  auto* all = static_cast<Query*>(static_cast<void*>(memory));
  float* numbers = memory + queries * state;
  float* keys = numbers + queries * 2 * padded;
  float* values = keys + block_floats;

  std::int64_t first = args.rows[begin].first, count = 0;
  for (std::int64_t t = begin; t < end; ++t)
    for (std::int64_t h = 0; h < heads; ++h) {
      const std::int64_t n = g * heads + h, at = (t - begin) * heads + h;
      float* q = numbers + at * 2 * padded;
      const float* from = args.q + t * args.q_stride + n * args.d;
      for (std::int64_t i = 0; i < args.d; ++i) q[i] = from[i] * args.scale;
      std::fill(q + args.d, q + 2 * padded, 0.0f);
      all[at] = {.q = q,
                 .o = q + padded,
                 .out = args.o + t * args.o_stride + n * args.d,
                 .first = args.rows[t].first,
                 .count = args.rows[t].count,
                 .largest = -std::numeric_limits<float>::infinity(),
                 .total = 0};
      first = std::min(first, args.rows[t].first);
      count = std::max(count, args.rows[t].count);
    }

  for (std::int64_t b = first / keys_per_block; b * keys_per_block < count; ++b) {
    const std::int64_t start = b * keys_per_block;
    const std::int64_t seen = std::min(keys_per_block, count - start);
    const std::int64_t from = g * keys_per_block * args.d;
    widen(args.rows[begin].key_blocks[b], args.kv_dtype, from, seen, args.d, padded, keys);
    widen(args.rows[begin].value_blocks[b], args.kv_dtype, from, seen, args.d, padded, values);
    for (std::int64_t i = 0; i < queries; ++i) {
      const std::int64_t low = std::clamp<std::int64_t>(all[i].first - start, 0, keys_per_block);
      const std::int64_t high = std::clamp<std::int64_t>(all[i].count - start, 0, keys_per_block);
      if (low < high) add_block(all[i], keys, values, low, high, padded);
    }
  }
  for (std::int64_t i = 0; i < queries; ++i)
    for (std::int64_t j = 0; j < args.d; ++j) all[i].out[j] = all[i].o[j] / all[i].total;
}

void attend(const AttendArgs& args, const Lane& lane) {
  const std::int64_t tiles = (args.T + rows_per_tile - 1) / rows_per_tile;
  run(lane, tiles * args.G, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t last = std::min(args.T, (item / args.G + 1) * rows_per_tile);
      // A tile may hold rows of several sequences: each run of equal tables is done by itself.
      for (std::int64_t t = item / args.G * rows_per_tile; t < last;) {
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
