// Attention whose keys and values lie in the batch itself, in bfloat16. Work is one key/value head of one segment: its
// thread lays out keys and values once, then goes through the queries in tiles and holds a tile's scores with all keys.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attend_within.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/cpu/bfloat16_attend.h"
#include "kernels/cpu/bfloat16_product.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/softmax-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Two tiles of the products' rows (bfloat16_pairs.h); with causal attention a tile meets every key up to its last
// query's, so more would compute more that is thrown away.
constexpr std::int64_t queries_per_tile = 28;

// Queries [begin, begin + queries) of a segment, of all query heads beside key/value head g, head by head.
// q [rows, d] and p [rows, pitch] are room for them.
void attend_tile(const AttendWithinArgs& args, const AttendSegment& segment, std::int64_t g,
                 std::int64_t begin, std::int64_t queries, AttendPairs& pairs, float* q, float* p,
                 std::int64_t pitch) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  const std::int64_t d = args.d, length = segment.end - segment.begin, stride = args.N * d;
  const std::int64_t heads = args.N / args.G, rows = heads * queries;
  const std::int64_t keys = args.causal ? begin + queries : length;  // that any of the tile sees
  const std::int64_t columns = (keys + lanes - 1) / lanes * lanes;
  const std::int64_t at = (segment.begin + begin) * stride + g * heads * d;
  for (std::int64_t h = 0; h < heads; ++h)
    copy_rows(args.q + at + h * d, queries, d, stride, q + h * queries * d);
  pairs.scores(q, rows, columns, pitch, p);
  for (std::int64_t r = 0; r < rows; ++r)
    softmax_row(p + r * pitch, args.causal ? begin + r % queries + 1 : length, columns, args.scale);
  for (std::int64_t h = 0; h < heads; ++h)
    pairs.values(p + h * queries * pitch, pitch, queries, keys, args.o + at + h * d, stride);
}

void attend_head(const AttendWithinArgs& args, const AttendSegment& segment, std::int64_t g) {
  const std::int64_t d = args.d, length = segment.end - segment.begin;
  const std::int64_t rows = args.N / args.G * std::min(queries_per_tile, length);
  const std::int64_t pitch = spread(length), kv = segment.begin * args.G * d + g * d;
  float* p =
      scratch(static_cast<std::size_t>(rows * (pitch + d) + AttendPairs::words(length, rows, d)));
  float* q = p + rows * pitch;
  AttendPairs pairs(static_cast<std::uint32_t*>(static_cast<void*>(q + rows * d)), args.k + kv,
                    args.v + kv, args.G * d, length, d);
  for (std::int64_t begin = 0; begin < length; begin += queries_per_tile)
    attend_tile(args, segment, g, begin, std::min(queries_per_tile, length - begin), pairs, q, p,
                pitch);
}

void attend_within_impl(const AttendWithinArgs& args, const Lane& lane) {
  run(lane, args.num_segments * args.G, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t item = begin; item < end; ++item)
      attend_head(args, args.segments[item / args.G], item % args.G);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {

HWY_EXPORT(attend_within_impl);

bool attend_within(const AttendWithinArgs& args, const Lane& lane) {
  if (!lane.bfloat16 || !has_bfloat16_products() || args.d > bfloat16_head_max) return false;
  HWY_DYNAMIC_DISPATCH(attend_within_impl)(args, lane);
  return true;
}

}  // namespace herd::cpu
#endif
