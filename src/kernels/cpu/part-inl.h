// Whole vectors where there is room, what is left where there is not: loads and stores at the end of a row, without
// touching memory beyond it. Included once per instruction set.
#if defined(HERD_KERNELS_CPU_PART_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_PART_INL_H_
#undef HERD_KERNELS_CPU_PART_INL_H_
#else
#define HERD_KERNELS_CPU_PART_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

using Floats = hwy::HWY_NAMESPACE::ScalableTag<float>;
using FloatVec = hwy::HWY_NAMESPACE::Vec<Floats>;

HWY_INLINE std::int64_t float_lanes() {
  return static_cast<std::int64_t>(hwy::HWY_NAMESPACE::Lanes(Floats()));
}

// The next `left` numbers, at most a vector of them; zeros where there are fewer.
HWY_INLINE FloatVec load_some(const float* from, std::int64_t left) {
  namespace hn = hwy::HWY_NAMESPACE;
  const Floats f;
  if (left >= float_lanes()) return hn::LoadU(f, from);
  HWY_ALIGN float part[hn::MaxLanes(Floats())] = {};
  std::memcpy(part, from, static_cast<std::size_t>(left) * sizeof(float));
  return hn::Load(f, part);
}

HWY_INLINE void store_some(FloatVec x, float* to, std::int64_t left) {
  namespace hn = hwy::HWY_NAMESPACE;
  const Floats f;
  if (left >= float_lanes()) return hn::StoreU(x, f, to);
  HWY_ALIGN float part[hn::MaxLanes(Floats())];
  hn::Store(x, f, part);
  std::memcpy(to, part, static_cast<std::size_t>(left) * sizeof(float));
}

HWY_INLINE float sum_of(FloatVec x) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::GetLane(hn::SumOfLanes(Floats(), x));
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
