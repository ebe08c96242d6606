// Kernels that treat every element by itself. A part vector at the end of a row passes through the same instructions as
// a whole one, so that an element's bits depend on nothing but its inputs.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/elementwise.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

// y[i] = f(a[i]) and y[i] = f(a[i], b[i]); y may be a or b.
template <class F>
HWY_INLINE void map(const float* a, float* y, std::int64_t count, const F& f) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(f(hn::LoadU(F32(), a + i)), F32(), y + i);
  if (i < count) store_part(f(load_part(a + i, count - i)), y + i, count - i);
}

template <class F>
HWY_INLINE void map(const float* a, const float* b, float* y, std::int64_t count, const F& f) {
  const F32 d;
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  if (i < count)
    store_part(f(load_part(a + i, count - i), load_part(b + i, count - i)), y + i, count - i);
}

void silu_mul(const SiluMulArgs& args) {
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* gate = args.gate_up + t * 2 * args.I;
    map(gate, gate + args.I, args.y + t * args.I, args.I,
        [](V32 g, V32 up) { return hn::Mul(hn::Mul(g, sigmoid_of(g)), up); });
  }
}

void sigmoid(const SigmoidArgs& args) {
  map(args.x, args.y, args.count, [](V32 x) { return sigmoid_of(x); });
}

void add(const AddArgs& args) {
  map(args.a, args.b, args.y, args.count, [](V32 a, V32 b) { return hn::Add(a, b); });
}

void scale_rows(const ScaleRowsArgs& args) {
  for (std::int64_t t = 0; t < args.T; ++t) {
    const V32 factor = hn::Set(F32(), args.factor[t]);
    map(args.x + t * args.x_stride, args.y + t * args.y_stride, args.D,
        [&](V32 x) { return hn::Mul(x, factor); });
  }
}

// As many float32 as fill a vector of float64.
using Half = hn::Rebind<float, F64>;
using VHalf = hn::Vec<Half>;
constexpr auto half_lanes = static_cast<std::int64_t>(hn::MaxLanes(F64()));

VHalf load_half(const float* from, std::int64_t count) {
  if (count >= half_lanes) return hn::LoadU(Half(), from);
  HWY_ALIGN float part[static_cast<std::size_t>(half_lanes)] = {};
  copy_bytes(from, count * WeightF32::bytes, part);
  return hn::Load(Half(), part);
}

void store_half(VHalf x, float* to, std::int64_t count) {
  if (count >= half_lanes) return hn::StoreU(x, Half(), to);
  HWY_ALIGN float part[static_cast<std::size_t>(half_lanes)];
  hn::Store(x, Half(), part);
  copy_bytes(part, count * WeightF32::bytes, to);
}

// In float64: erf has no cheap form that is exact to float32 in its lower tail.
void gelu(const GeluArgs& args) {
  const F64 d;
  const Half half;
  for (std::int64_t i = 0; i < args.count; i += half_lanes) {
    const VHalf narrow = load_half(args.x + i, args.count - i);
    const V64 x = hn::PromoteTo(d, narrow);
    const VHalf y = hn::DemoteTo(half, hn::Mul(x, normal_of(x).below));
    // All but nothing lies above 20; and infinity, on the scalar target, would be demoted to the largest number.
    store_half(hn::IfThenElse(hn::Gt(narrow, hn::Set(half, 20.0f)), narrow, y), args.y + i,
               args.count - i);
  }
}

// dx = dy (share below x + x density at x), in float64 too.
void gelu_grad(const GeluGradArgs& args) {
  const F64 d;
  const Half half;
  const V64 bell_height = hn::Set(d, 0.3989422804014327);  // (2 pi)^-1/2
  for (std::int64_t i = 0; i < args.count; i += half_lanes) {
    const std::int64_t count = args.count - i;
    const V64 x = hn::PromoteTo(d, load_half(args.x + i, count));
    const V64 dy = hn::PromoteTo(d, load_half(args.dy + i, count));
    const Normal normal = normal_of(x);
    const V64 slope = hn::MulAdd(hn::Mul(x, bell_height), normal.bell, normal.below);
    store_half(hn::DemoteTo(half, hn::Mul(dy, slope)), args.dx + i, count);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {

HWY_EXPORT(silu_mul);
HWY_EXPORT(sigmoid);
HWY_EXPORT(add);
HWY_EXPORT(scale_rows);
HWY_EXPORT(gelu);
HWY_EXPORT(gelu_grad);

// The nanoseconds are of one element with AVX-512 at 3 GHz; they decide about threads only.

void silu_mul(const SiluMulArgs& args, const Lane& lane) {
  share(lane, args.T, 0.7 * static_cast<double>(args.I), [&](std::int64_t begin, std::int64_t end) {
    SiluMulArgs part = args;
    part.gate_up += begin * 2 * args.I;
    part.y += begin * args.I;
    part.T = end - begin;
    HWY_DYNAMIC_DISPATCH(silu_mul)(part);
  });
}

void sigmoid(const SigmoidArgs& args, const Lane& lane) {
  share(lane, args.count, 0.6, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(sigmoid)
    ({.x = args.x + begin, .y = args.y + begin, .count = end - begin});
  });
}

void add(const AddArgs& args, const Lane& lane) {
  share(lane, args.count, 0.2, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(add)
    ({.a = args.a + begin, .b = args.b + begin, .y = args.y + begin, .count = end - begin});
  });
}

void scale_rows(const ScaleRowsArgs& args, const Lane& lane) {
  share(lane, args.T, 0.2 * static_cast<double>(args.D), [&](std::int64_t begin, std::int64_t end) {
    ScaleRowsArgs part = args;
    part.x += begin * args.x_stride;
    part.y += begin * args.y_stride;
    part.factor += begin;
    part.T = end - begin;
    HWY_DYNAMIC_DISPATCH(scale_rows)(part);
  });
}

void gelu(const GeluArgs& args, const Lane& lane) {
  share(lane, args.count, 2.5, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(gelu)
    ({.x = args.x + begin, .y = args.y + begin, .count = end - begin});
  });
}

void gelu_grad(const GeluGradArgs& args, const Lane& lane) {
  share(lane, args.count, 3.0, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(gelu_grad)
    ({.x = args.x + begin, .dy = args.dy + begin, .dx = args.dx + begin, .count = end - begin});
  });
}

}  // namespace herd::cpu
#endif
