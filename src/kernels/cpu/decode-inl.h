// Weights as they lie in files, to vectors of float32: one overload of load_f32 a format, exact. Matrices are bytes in
// a mapped file, so no address is assumed to be aligned, not even to the element.
//
// A new format needs a tag, its bytes in element_bytes, load_f32, and a case in the kernels that read weights
// (matmul.cc, rows.cc).

// clang-format off
#if defined(HERD_KERNELS_CPU_DECODE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_DECODE_INL_H_
#undef HERD_KERNELS_CPU_DECODE_INL_H_
#else
#define HERD_KERNELS_CPU_DECODE_INL_H_
#endif
// clang-format on

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using V32 = hn::Vec<F32>;
using Bytes = const std::uint8_t*;

// N registers, where N is a template parameter (an int as an array bound would warn of its sign).
template <class T, int N>
using Few = T[static_cast<std::size_t>(N)];

struct WeightF32 {
  static constexpr std::int64_t bytes = 4;
};
struct WeightBf16 {
  static constexpr std::int64_t bytes = 2;
};
struct WeightF16 {
  static constexpr std::int64_t bytes = 2;
};
struct WeightF8 {
  static constexpr std::int64_t bytes = 1;
};

// Lanes of T from any address. The scalar target's own load dereferences its pointer, which wants alignment.
template <class D>
HWY_INLINE hn::Vec<D> load_any(D d, Bytes p) {
  using T = hn::TFromD<D>;
#if HWY_TARGET == HWY_SCALAR
  T value;
  std::memcpy(&value, p, sizeof value);
  return hn::Set(d, value);
#else
  return hn::LoadU(d, reinterpret_cast<const T*>(p));
#endif
}

HWY_INLINE V32 load_f32(WeightF32, Bytes p) { return load_any(F32(), p); }

HWY_INLINE V32 load_f32(WeightBf16, Bytes p) {
  const hn::Rebind<std::uint32_t, F32> d32;
  const hn::Rebind<std::uint16_t, F32> d16;
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(d32, load_any(d16, p))));
}

// The conversion of half precision that the target has, from its bits.
HWY_INLINE V32 f32_of_half_bits(hn::Vec<hn::Rebind<std::uint16_t, F32>> bits) {
  return hn::PromoteTo(F32(), hn::BitCast(hn::Rebind<hwy::float16_t, F32>(), bits));
}

HWY_INLINE V32 load_f32(WeightF16, Bytes p) {
  return f32_of_half_bits(load_any(hn::Rebind<std::uint16_t, F32>(), p));
}

// E4M3 is half precision with one exponent bit less: shifted into place its value is 2^-8 of what it should be,
// subnormals included. Its NaN (all ones) arrives as 1.875, a value that no finite code has.
HWY_INLINE V32 load_f32(WeightF8, Bytes p) {
  const hn::Rebind<std::uint8_t, F32> d8;
  const hn::Rebind<std::uint16_t, F32> d16;
  const auto wide = hn::PromoteTo(d16, load_any(d8, p));
  const auto sign = hn::And(hn::ShiftLeft<8>(wide), hn::Set(d16, std::uint16_t{0x8000}));
  const auto magnitude = hn::And(hn::ShiftLeft<7>(wide), hn::Set(d16, std::uint16_t{0x3f80}));
  const auto small = f32_of_half_bits(hn::Or(sign, magnitude));
  const auto is_nan = hn::Eq(hn::Abs(small), hn::Set(F32(), 1.875f));
  return hn::IfThenElse(is_nan, hn::NaN(F32()), hn::Mul(small, hn::Set(F32(), 256.0f)));
}

// memcpy out of line: inlined, its size is a range in which compilers see overflows that callers exclude.
HWY_NOINLINE inline void copy_bytes(const void* from, std::int64_t bytes, void* to) {
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

// The first n < Lanes elements, zeros after them; reads nothing else.
template <class Weight>
HWY_INLINE V32 load_f32_part(Weight weight, Bytes p, std::int64_t n) {
  alignas(64) std::uint8_t copy[HWY_MAX_BYTES] = {};
  copy_bytes(p, n * Weight::bytes, copy);
  return load_f32(weight, copy);
}

HWY_INLINE V32 load_part(const float* p, std::int64_t n) {
  return load_f32_part(WeightF32(), reinterpret_cast<Bytes>(p), n);
}

HWY_INLINE void store_part(V32 v, float* p, std::int64_t n) {
  HWY_ALIGN float copy[hn::MaxLanes(F32())];
  hn::Store(v, F32(), copy);
  copy_bytes(copy, n * WeightF32::bytes, p);
}

inline constexpr std::int64_t lanes = hn::MaxLanes(F32());

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
