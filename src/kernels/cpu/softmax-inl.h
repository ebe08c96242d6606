// Rows of scores that lie whole in memory, for attention within a batch: there and back. Included once per instruction
// set.

// clang-format off
#if defined(HERD_KERNELS_CPU_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_SOFTMAX_INL_H_
#undef HERD_KERNELS_CPU_SOFTMAX_INL_H_
#else
#define HERD_KERNELS_CPU_SOFTMAX_INL_H_
#endif
// clang-format on

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Rows of this many floats, an odd number of vectors, spread over all sets of the first-level cache.
inline std::int64_t spread(std::int64_t floats) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  return ((floats + lanes - 1) / lanes | 1) * lanes;
}

// score [columns] of which the first `seen` count -> weights scale * score's softmax, the rest 0; columns is whole
// vectors.
inline void softmax_row(float* score, std::int64_t seen, std::int64_t columns, float scale) {
  const hn::ScalableTag<float> f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  const std::int64_t used = (seen + lanes - 1) / lanes * lanes;
  const auto inside = [&](std::int64_t j) {
    return hn::FirstN(f, static_cast<std::size_t>(std::min(lanes, seen - j)));
  };
  auto most = hn::Set(f, score[0]);
  for (std::int64_t j = 0; j < used; j += lanes)
    most = hn::Max(most, hn::IfThenElse(inside(j), hn::LoadU(f, score + j), most));
  const float largest = hn::GetLane(hn::MaxOfLanes(f, most));
  auto total = hn::Zero(f);
  const auto factor = hn::Set(f, scale), shift = hn::Set(f, -scale * largest);
  for (std::int64_t j = 0; j < used; j += lanes) {
    const auto e = hn::IfThenElseZero(
        inside(j), hn::Exp(f, hn::MulAdd(hn::LoadU(f, score + j), factor, shift)));
    hn::StoreU(e, f, score + j);
    total = hn::Add(total, e);
  }
  const auto inverse = hn::Set(f, 1.0f / hn::GetLane(hn::SumOfLanes(f, total)));
  for (std::int64_t j = 0; j < used; j += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(f, score + j), inverse), f, score + j);
  std::fill(score + used, score + columns, 0.0f);
}

// Rows of d floats, `stride` apart, one after the other.
inline void copy_rows(const float* from, std::int64_t rows, std::int64_t d, std::int64_t stride,
                      float* to) {
  for (std::int64_t t = 0; t < rows; ++t) std::copy_n(from + t * stride, d, to + t * d);
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
