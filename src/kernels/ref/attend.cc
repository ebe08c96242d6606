#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

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

// Element i of key or value `index` of head g, in a table of blocks.
double cached(KvPart part, const void* const* blocks, const AttendArgs& args, std::int64_t index,
              std::int64_t g, std::int64_t i) {
  return element_as_f32(blocks[index / keys_per_block], args.kv_dtype,
                        place(part, g, index % keys_per_block, i, args.d));
}

// The textbook formula: all scores, their maximum, the weights, the weighted mean of the values.
void attend_head(const AttendArgs& args, std::int64_t t, std::int64_t n,
                 std::vector<double>& score) {
  const AttendRow& row = args.rows[t];
  const std::int64_t g = n / (args.N / args.G);
  const float* q = args.q + t * args.q_stride + n * args.d;
  float* o = args.o + t * args.o_stride + n * args.d;

  score.clear();
  double largest = -std::numeric_limits<double>::infinity();
  for (std::int64_t key = row.first; key < row.count; ++key) {
    double sum = 0;
    for (std::int64_t i = 0; i < args.d; ++i)
      sum += double{q[i]} * cached(KvPart::keys, row.key_blocks, args, key, g, i);
    score.push_back(sum * double{args.scale});
    largest = std::max(largest, score.back());
  }
  double total = 0;
  for (double& s : score) total += s = std::exp(s - largest);
  for (std::int64_t i = 0; i < args.d; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < score.size(); ++j)
      sum += score[j] * cached(KvPart::values, row.value_blocks, args,
                               row.first + static_cast<std::int64_t>(j), g, i);
    o[i] = static_cast<float>(sum / total);
  }
}

}  // namespace

void attend(const AttendArgs& args, const Lane&) {
  std::vector<double> score;
  for (std::int64_t t = 0; t < args.T; ++t)
    for (std::int64_t n = 0; n < args.N; ++n) attend_head(args, t, n, score);
}

void store_kv(const StoreKvArgs& args, const Lane&) {
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
