#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/kv_block.h"
#include "kernels/ref/ref.h"
#include "tensor/float_bits.h"

namespace herd::ref {
namespace {

// Where element i of key or value `within` of head g lies in its block.
std::int64_t place(KvPart part, std::int64_t g, std::int64_t within, std::int64_t i,
                   std::int64_t d) {
  return part == KvPart::keys ? (g * d + i) * keys_per_block + within
                              : (g * keys_per_block + within) * d + i;
}

// What row t sees of the keys or values of head g, as the formula has them: integers are turned back.
std::vector<float> seen(KvPart part, const AttendArgs& args, std::int64_t t, std::int64_t g) {
  const AttendRow& row = args.rows[t];
  const void* const* blocks = part == KvPart::keys ? row.key_blocks : row.value_blocks;
  std::vector<float> all(static_cast<std::size_t>((row.count - row.first) * args.d));
  float* to = all.data();
  for (std::int64_t index = row.first; index < row.count; ++index, to += args.d) {
    const void* block = blocks[index / keys_per_block];
    const std::int64_t within = index % keys_per_block;
    if (is_quantized(args.kv_dtype)) {
      read_kv_codes(part, args.kv_dtype, block, within, g, args.d, to);
      rotate(to, args.d);
      continue;
    }
    for (std::int64_t i = 0; i < args.d; ++i)
      to[i] = element_as_f32(block, args.kv_dtype, place(part, g, within, i, args.d));
  }
  return all;
}

// The textbook formula: all scores, their maximum, the weights, the weighted mean of the values.
//   q, o [d], keys, values [count, d]
void attend_head(const float* q, const float* keys, const float* values, std::int64_t count,
                 std::int64_t d, float scale, std::vector<double>& score, float* o) {
  score.clear();
  double largest = -std::numeric_limits<double>::infinity();
  for (std::int64_t key = 0; key < count; ++key, keys += d) {
    double sum = 0;
    for (std::int64_t i = 0; i < d; ++i) sum += double{q[i]} * double{keys[i]};
    score.push_back(sum * double{scale});
    largest = std::max(largest, score.back());
  }
  double total = 0;
  for (double& s : score) total += s = std::exp(s - largest);
  for (std::int64_t i = 0; i < d; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < score.size(); ++j)
      sum += score[j] * double{values[static_cast<std::int64_t>(j) * d + i]};
    o[i] = static_cast<float>(sum / total);
  }
}

}  // namespace

void attend(const AttendArgs& args, const Lane&) {
  std::vector<double> score;
  const std::int64_t group = args.N / args.G;
  for (std::int64_t t = 0; t < args.T; ++t)
    for (std::int64_t g = 0; g < args.G; ++g) {
      const std::vector<float> keys = seen(KvPart::keys, args, t, g);
      const std::vector<float> values = seen(KvPart::values, args, t, g);
      for (std::int64_t n = g * group; n < (g + 1) * group; ++n)
        attend_head(args.q + t * args.q_stride + n * args.d, keys.data(), values.data(),
                    args.rows[t].count - args.rows[t].first, args.d, args.scale, score,
                    args.o + t * args.o_stride + n * args.d);
    }
}

bool attend_within(const AttendWithinArgs& args, const Lane&) {
  std::vector<double> score;
  const std::int64_t d = args.d, group = args.N / args.G;
  for (std::int64_t s = 0; s < args.num_segments; ++s) {
    const AttendSegment& segment = args.segments[s];
    for (std::int64_t n = 0; n < args.N; ++n) {
      std::vector<float> keys, values;  // [length, d] of the head
      for (std::int64_t t = segment.begin; t < segment.end; ++t) {
        const std::int64_t at = (t * args.G + n / group) * d;
        keys.insert(keys.end(), args.k + at, args.k + at + d);
        values.insert(values.end(), args.v + at, args.v + at + d);
      }
      for (std::int64_t t = segment.begin; t < segment.end; ++t)
        attend_head(args.q + (t * args.N + n) * d, keys.data(), values.data(),
                    (args.causal ? t + 1 : segment.end) - segment.begin, d, args.scale, score,
                    args.o + (t * args.N + n) * d);
    }
  }
  return true;
}

void store_kv(const StoreKvArgs& args, const Lane&) {
  if (is_quantized(args.dtype)) {
    std::vector<float> row(static_cast<std::size_t>(args.d));
    return store_kv_codes(args, row);
  }
  for (std::int64_t t = 0; t < args.T; ++t)
    for (std::int64_t g = 0; g < args.G; ++g) {
      const float* x = args.x + t * args.x_stride + g * args.d;
      for (std::int64_t i = 0; i < args.d; ++i) {
        const std::int64_t at = place(args.part, g, args.within[t], i, args.d);
        if (args.dtype == DType::bf16)
          static_cast<std::uint16_t*>(args.block[t])[at] = bf16_of_f32(x[i]);
        else
          static_cast<float*>(args.block[t])[at] = x[i];
      }
    }
}

}  // namespace herd::ref
