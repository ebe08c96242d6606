// Norms of rows, in float64 from the first sum to the last product: conversions are cheap beside memory, and the only
// rounding is that of the result. A row's sums run in lanes that depend on its width alone.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/norm.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <cmath>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

using Narrow = hn::Rebind<float, F64>;
inline constexpr auto wide_lanes = static_cast<std::int64_t>(hn::MaxLanes(F64()));

HWY_INLINE V64 widen(const float* p) { return hn::PromoteTo(F64(), hn::LoadU(Narrow(), p)); }

// The first n < wide_lanes numbers, zeros after them.
HWY_INLINE V64 widen_part(const float* p, std::int64_t n) {
  HWY_ALIGN float part[hn::MaxLanes(F64())] = {};
  copy_bytes(p, n * WeightF32::bytes, part);
  return widen(part);
}

// The sum over a row of term(x[i]): four chains of vectors in turn, because one would wait for its own additions.
template <class Term>
HWY_INLINE double sum_of_row(const float* x, std::int64_t D, const Term& term) {
  const F64 d;
  V64 a = hn::Zero(d), b = a, c = a, e = a;
  std::int64_t i = 0;
  for (; i + 4 * wide_lanes <= D; i += 4 * wide_lanes) {
    a = hn::Add(a, term(widen(x + i)));
    b = hn::Add(b, term(widen(x + i + wide_lanes)));
    c = hn::Add(c, term(widen(x + i + 2 * wide_lanes)));
    e = hn::Add(e, term(widen(x + i + 3 * wide_lanes)));
  }
  for (; i + wide_lanes <= D; i += wide_lanes) a = hn::Add(a, term(widen(x + i)));
  if (i < D) {
    const auto inside = hn::FirstN(d, static_cast<std::size_t>(D - i));
    b = hn::Add(b, hn::IfThenElseZero(inside, term(widen_part(x + i, D - i))));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
}

// y[i] = f(i, load), where load(p) is the vector at p + i, be it whole or part.
template <class F>
HWY_INLINE void write_row(float* y, std::int64_t D, const F& f) {
  std::int64_t i = 0;
  for (; i + wide_lanes <= D; i += wide_lanes) {
    const V64 value = f([&](const float* p) { return widen(p + i); });
    hn::StoreU(hn::DemoteTo(Narrow(), value), Narrow(), y + i);
  }
  if (i == D) return;
  const V64 value = f([&](const float* p) { return widen_part(p + i, D - i); });
  HWY_ALIGN float part[hn::MaxLanes(F64())];
  hn::Store(hn::DemoteTo(Narrow(), value), Narrow(), part);
  copy_bytes(part, (D - i) * WeightF32::bytes, y + i);
}

void rms_norm(const RmsNormArgs& args) {
  const auto width = static_cast<double>(args.D);
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* x = args.x + t * args.D;
    const double squares = sum_of_row(x, args.D, [](V64 v) { return hn::Mul(v, v); });
    const V64 factor = hn::Set(F64(), 1 / std::sqrt(squares / width + double{args.eps}));
    if (args.weight == nullptr)
      write_row(args.y + t * args.D, args.D,
                [&](const auto& load) { return hn::Mul(load(x), factor); });
    else
      write_row(args.y + t * args.D, args.D, [&](const auto& load) {
        return hn::Mul(hn::Mul(load(x), factor), load(args.weight));
      });
  }
}

void layer_norm(const LayerNormArgs& args) {
  const auto width = static_cast<double>(args.D);
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* x = args.x + t * args.D;
    const V64 mean = hn::Set(F64(), sum_of_row(x, args.D, [](V64 v) { return v; }) / width);
    const double squares = sum_of_row(x, args.D, [&](V64 v) {
      const V64 apart = hn::Sub(v, mean);
      return hn::Mul(apart, apart);
    });
    const V64 factor = hn::Set(F64(), 1 / std::sqrt(squares / width + double{args.eps}));
    write_row(args.y + t * args.D, args.D, [&](const auto& load) {
      const V64 unit = hn::Mul(hn::Sub(load(x), mean), factor);
      return hn::MulAdd(unit, load(args.weight), load(args.bias));
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {

HWY_EXPORT(rms_norm);
HWY_EXPORT(layer_norm);

void rms_norm(const RmsNormArgs& args, const Lane& lane) {
  share(lane, args.T, 0.4 * static_cast<double>(args.D), [&](std::int64_t begin, std::int64_t end) {
    RmsNormArgs part = args;
    part.x += begin * args.D;
    part.y += begin * args.D;
    part.T = end - begin;
    HWY_DYNAMIC_DISPATCH(rms_norm)(part);
  });
}

void layer_norm(const LayerNormArgs& args, const Lane& lane) {
  share(lane, args.T, 0.6 * static_cast<double>(args.D), [&](std::int64_t begin, std::int64_t end) {
    LayerNormArgs part = args;
    part.x += begin * args.D;
    part.y += begin * args.D;
    part.T = end - begin;
    HWY_DYNAMIC_DISPATCH(layer_norm)(part);
  });
}

}  // namespace herd::cpu
#endif
