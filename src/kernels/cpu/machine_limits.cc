#include "kernels/cpu/machine_limits.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/machine_limits.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "kernels/cpu/bfloat16_product.h"
#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/quantized_product.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

// The exclusive or of all vectors, so that no load can be left out.
std::uint32_t read_all(Bytes data, std::int64_t bytes) {
  const hn::ScalableTag<std::uint32_t> d;
  constexpr int streams = 4;
  constexpr std::int64_t step = hn::MaxLanes(d) * 4;
  hn::Vec<decltype(d)> sum[streams];
  HERD_UNROLL for (auto& one : sum) one = hn::Zero(d);
  for (std::int64_t at = 0; at + streams * step <= bytes; at += streams * step)
    HERD_UNROLL for (int i = 0; i < streams; ++i) sum[i] =
        hn::Xor(sum[i], load_any(d, data + at + i * step));
  return hn::GetLane(hn::Xor(hn::Xor(sum[0], sum[1]), hn::Xor(sum[2], sum[3])));
}

// 12 chains cover latency times width of every core with two multiply-add units.
inline constexpr int chains = 12;

float fma_chains(std::int64_t rounds) {
  const F32 d;
  const V32 factor = hn::Set(d, 0.999f), addend = hn::Set(d, 0.001f);
  // Different values, or the compiler would compute one chain only.
  V32 sum[chains];
  HERD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = hn::Set(d, static_cast<float>(c));
  for (std::int64_t i = 0; i < rounds; ++i)
    HERD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = hn::MulAdd(sum[c], factor, addend);
  V32 total = hn::Zero(d);
  HERD_UNROLL for (int c = 0; c < chains; ++c) total = hn::Add(total, sum[c]);
  return hn::GetLane(total);
}

double fma_flops(std::int64_t rounds) {
  return 2.0 * chains * static_cast<double>(lanes) * static_cast<double>(rounds);
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {
namespace {

HWY_EXPORT(read_all);
HWY_EXPORT(fma_chains);
HWY_EXPORT(fma_flops);

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

double read_seconds(const void* data, std::size_t bytes, const Lane& lane) {
  constexpr std::int64_t piece = 1 << 18;
  const auto* from = static_cast<const std::uint8_t*>(data);
  std::atomic<std::uint32_t> sink{0};
  const auto start = std::chrono::steady_clock::now();
  run(lane, static_cast<std::int64_t>(bytes) / piece, 1,
      [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t i = begin; i < end; ++i)
          sink ^= HWY_DYNAMIC_DISPATCH(read_all)(from + i * piece, piece);
      });
  return seconds_since(start);
}

FmaTime fma_time(std::int64_t rounds, const Lane& lane) {
  constexpr std::int64_t pieces_per_thread = 8;
  const std::int64_t pieces = pieces_per_thread * threads_of(lane);
  const std::int64_t each = rounds / pieces_per_thread;
  const bool rounded = lane.bfloat16 && has_bfloat16_products();
  std::atomic<float> sink{0};
  std::atomic<double> flops{0};
  const auto start = std::chrono::steady_clock::now();
  run(lane, pieces, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (!rounded) sink = HWY_DYNAMIC_DISPATCH(fma_chains)(each);
      flops += rounded ? bfloat16_chains(each) : HWY_DYNAMIC_DISPATCH(fma_flops)(each);
    }
  });
  return {.seconds = seconds_since(start), .flops = flops};
}

DotTime dot_time(std::int64_t rounds, const Lane& lane) {
  constexpr std::int64_t pieces_per_thread = 8;
  const std::int64_t pieces = pieces_per_thread * threads_of(lane);
  const QuantizedKernels& kernels = chosen_quantized_kernels();
  std::atomic<double> operations{0};
  const auto start = std::chrono::steady_clock::now();
  run(lane, pieces, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i)
      operations += kernels.dot_chains(rounds / pieces_per_thread);
  });
  return {.seconds = seconds_since(start), .operations = operations};
}

}  // namespace herd::cpu
#endif
