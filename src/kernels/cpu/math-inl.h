// Functions of one number, lane by lane: a lane's bits do not depend on its place in the vector nor on its neighbours.
// Included once per instruction set.

// clang-format off
#if defined(HERD_KERNELS_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_MATH_INL_H_
#undef HERD_KERNELS_CPU_MATH_INL_H_
#else
#define HERD_KERNELS_CPU_MATH_INL_H_
#endif
// clang-format on

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "kernels/cpu/decode-inl.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

using F64 = hn::ScalableTag<double>;
using V64 = hn::Vec<F64>;

// 1 / (1 + exp(-x)), within 6 units of float32's last place down to its smallest numbers; NaN stays NaN.
HWY_INLINE V32 sigmoid_of(V32 x) {
  const F32 d;
  const V32 one = hn::Set(d, 1.0f);
  // exp of what is not positive can only underflow, and then rightly: no range is cut off. Below -110 it is zero
  // anyway, and the library's own conversion to integers stays within bounds.
  const V32 e = hn::Exp(d, hn::Max(hn::Neg(hn::Abs(x)), hn::Set(d, -110.0f)));
  const V32 above = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Div(above, hn::Add(one, e)));
}

// The normal distribution's share below x, (1 + erf(x / sqrt 2)) / 2, in float64 to a relative error of 1e-10, in the
// lower tail too, for |x| up to 15 (beyond, the tail is under 1e-50), and exp(-x^2 / 2); garbage for NaN.
//
// The tail beyond a = |x| is exp(-a^2 / 2) times a function without a cliff: with t = 1 / (1 + a / 5), t times a
// polynomial in t, which interpolates exp(a^2 / 2) erfc(a / sqrt 2) / (2 t) at the 12 Chebyshev points of 0 <= a <= 15;
// 1 / 5 was the best of six steepnesses tried.
struct Normal {
  V64 below, bell;
};
HWY_INLINE Normal normal_of(V64 x) {
  const F64 d;
  constexpr double coefficients[]{
      0.07978705001759175, 0.07982989054868027, 0.07605500486151902,  0.07437848797516468,
      0.04006649683017425, 0.12248668073876322, -0.14034899063324943, 0.3336780294943504,
      -0.3551106358858192, 0.3003101974274528,  -0.13383203185379003, 0.022699820512213958,
  };
  const V64 one = hn::Set(d, 1.0);
  const V64 a = hn::Min(hn::Abs(x), hn::Set(d, 40.0));  // exp(-40^2 / 2) is zero
  const V64 t = hn::Div(one, hn::MulAdd(a, hn::Set(d, 0.2), one));
  V64 sum = hn::Set(d, coefficients[11]);
  HERD_UNROLL for (int i = 10; i >= 0; --i) sum = hn::MulAdd(sum, t, hn::Set(d, coefficients[i]));
  const V64 bell = hn::Exp(d, hn::Mul(hn::Mul(a, a), hn::Set(d, -0.5)));
  const V64 tail = hn::Mul(bell, hn::Mul(t, sum));
  return {hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail)), bell};
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
