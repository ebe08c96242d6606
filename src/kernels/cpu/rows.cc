// Kernels that move rows, and turn them: rotation, the ways to and from experts, the cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rows.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/work.h"
#include "kernels/kv_block.h"
#include "quant/formats.h"
#include "tensor/float_bits.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

// (even, odd) turned by an angle. The second product is rounded, the first is not.
HWY_INLINE void turn(V32& even, V32& odd, V32 cos, V32 sin) {
  const V32 turned = hn::MulSub(even, cos, hn::Mul(odd, sin));
  odd = hn::MulAdd(odd, cos, hn::Mul(even, sin));
  even = turned;
}

void rope(const RopeArgs& args) {
  const F32 d;
  const std::int64_t pairs = args.d / 2;
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* cos = args.cos + t * pairs;
    const float* sin = args.sin + t * pairs;
    for (std::int64_t n = 0; n < args.N; ++n) {
      const float* x = args.x + t * args.x_stride + n * args.d;
      float* y = args.y + t * args.y_stride + n * args.d;
      V32 even, odd;
      std::int64_t i = 0;
      for (; i + lanes <= pairs; i += lanes) {
        hn::LoadInterleaved2(d, x + 2 * i, even, odd);
        turn(even, odd, hn::LoadU(d, cos + i), hn::LoadU(d, sin + i));
        hn::StoreInterleaved2(even, odd, d, y + 2 * i);
      }
      if (i == pairs) continue;
      const std::int64_t left = pairs - i;
      HWY_ALIGN float part[2 * hn::MaxLanes(F32())] = {};
      copy_bytes(x + 2 * i, 2 * left * WeightF32::bytes, part);
      hn::LoadInterleaved2(d, part, even, odd);
      turn(even, odd, load_part(cos + i, left), load_part(sin + i, left));
      hn::StoreInterleaved2(even, odd, d, part);
      copy_bytes(part, 2 * left * WeightF32::bytes, y + 2 * i);
    }
  }
}

template <class Weight>
void gather_as(const GatherArgs& args) {
  const F32 d;
  for (std::int64_t r = 0; r < args.R; ++r) {
    Bytes from = static_cast<Bytes>(args.table) + args.row[r] * args.D * Weight::bytes;
    float* y = args.y + r * args.D;
    const V32 factor = hn::Set(d, args.factor != nullptr ? args.factor[r] : 1.0f);
    std::int64_t i = 0;
    for (; i + lanes <= args.D; i += lanes)
      hn::StoreU(hn::Mul(load_f32(Weight(), from + i * Weight::bytes), factor), d, y + i);
    if (i < args.D)
      store_part(hn::Mul(load_f32_part(Weight(), from + i * Weight::bytes, args.D - i), factor),
                 y + i, args.D - i);
  }
}

void gather_quantized(const GatherArgs& args) {
  for (std::int64_t r = 0; r < args.R; ++r) {
    float* y = args.y + r * args.D;
    quant::decode_row(args.dtype,
                      static_cast<Bytes>(args.table) + bytes_of(args.dtype, args.row[r] * args.D),
                      y, args.D);
    if (args.factor != nullptr)
      for (std::int64_t i = 0; i < args.D; ++i) y[i] *= args.factor[r];
  }
}

void gather(const GatherArgs& args) {
  if (is_quantized(args.dtype)) return gather_quantized(args);
  switch (args.dtype) {
    case DType::f32:
      return gather_as<WeightF32>(args);
    case DType::bf16:
      return gather_as<WeightBf16>(args);
    case DType::f16:
      return gather_as<WeightF16>(args);
    case DType::f8_e4m3:
      return gather_as<WeightF8>(args);
    default:
      HERD_CHECK(false, "no rows of {}", row_of(args.dtype).name);
  }
}

void gather_add(const GatherAddArgs& args) {
  const F32 d;
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* base = args.base + t * args.D;
    const std::int32_t* row = args.row + t * args.K;
    float* y = args.y + t * args.D;
    std::int64_t i = 0;
    for (; i + lanes <= args.D; i += lanes) {
      V32 sum = hn::LoadU(d, base + i);
      for (std::int64_t k = 0; k < args.K; ++k)
        sum = hn::Add(sum, hn::LoadU(d, args.x + row[k] * args.D + i));
      hn::StoreU(sum, d, y + i);
    }
    for (; i < args.D; ++i) {
      float sum = base[i];
      for (std::int64_t k = 0; k < args.K; ++k) sum += args.x[row[k] * args.D + i];
      y[i] = sum;
    }
  }
}

// bfloat16's bits, rounded to nearest even; NaN stays one.
HWY_INLINE hn::Vec<hn::Rebind<std::uint16_t, F32>> bf16_bits(V32 x) {
  const hn::Rebind<std::uint32_t, F32> wide;
  const auto bits = hn::BitCast(wide, x);
  const auto last = hn::And(hn::ShiftRight<16>(bits), hn::Set(wide, 1u));
  const auto rounded = hn::Add(bits, hn::Add(hn::Set(wide, 0x7fffu), last));
  const auto quiet = hn::Or(bits, hn::Set(wide, 0x400000u));
  const auto is_nan = hn::RebindMask(wide, hn::IsNaN(x));
  const auto upper = hn::ShiftRight<16>(hn::IfThenElse(is_nan, quiet, rounded));
  return hn::DemoteTo(hn::Rebind<std::uint16_t, F32>(),
                      hn::BitCast(hn::Rebind<std::int32_t, F32>(), upper));
}

// One key down a column of its block: its numbers lie keys_per_block apart.
void store_across(const float* x, std::int64_t d, DType dtype, std::int64_t at, void* block) {
  if (dtype == DType::f32) {
    float* to = static_cast<float*>(block) + at;
    for (std::int64_t i = 0; i < d; ++i) to[i * keys_per_block] = x[i];
  } else {
    std::uint16_t* to = static_cast<std::uint16_t*>(block) + at;
    for (std::int64_t i = 0; i < d; ++i) to[i * keys_per_block] = bf16_of_f32(x[i]);
  }
}

void store_kv(const StoreKvArgs& args) {
  const F32 d;
  const hn::Rebind<std::uint16_t, F32> narrow;
  for (std::int64_t t = 0; t < args.T; ++t)
    for (std::int64_t g = 0; g < args.G; ++g) {
      const float* x = args.x + t * args.x_stride + g * args.d;
      if (args.part == KvPart::keys) {
        store_across(x, args.d, args.dtype, g * args.d * keys_per_block + args.within[t],
                     args.block[t]);
        continue;
      }
      const std::int64_t at = (g * keys_per_block + args.within[t]) * args.d;
      if (args.dtype == DType::f32) {
        copy_bytes(x, args.d * WeightF32::bytes, static_cast<float*>(args.block[t]) + at);
        continue;
      }
      std::uint16_t* to = static_cast<std::uint16_t*>(args.block[t]) + at;
      std::int64_t i = 0;
      for (; i + lanes <= args.d; i += lanes)
        hn::StoreU(bf16_bits(hn::LoadU(d, x + i)), narrow, to + i);
      if (i == args.d) continue;
      HWY_ALIGN std::uint16_t part[hn::MaxLanes(F32())];
      hn::Store(bf16_bits(load_part(x + i, args.d - i)), narrow, part);
      copy_bytes(part, (args.d - i) * WeightBf16::bytes, to + i);
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {

HWY_EXPORT(rope);
HWY_EXPORT(gather);
HWY_EXPORT(gather_add);
HWY_EXPORT(store_kv);

// The nanoseconds are of one element with AVX-512 at 3 GHz; they decide about threads only.

void rope(const RopeArgs& args, const Lane& lane) {
  const auto width = static_cast<double>(args.N * args.d);
  share(lane, args.T, 0.3 * width, [&](std::int64_t begin, std::int64_t end) {
    RopeArgs part = args;
    part.x += begin * args.x_stride;
    part.y += begin * args.y_stride;
    part.cos += begin * (args.d / 2);
    part.sin += begin * (args.d / 2);
    part.T = end - begin;
    HWY_DYNAMIC_DISPATCH(rope)(part);
  });
}

void gather(const GatherArgs& args, const Lane& lane) {
  share(lane, args.R, 0.2 * static_cast<double>(args.D), [&](std::int64_t begin, std::int64_t end) {
    GatherArgs part = args;
    part.row += begin;
    if (part.factor != nullptr) part.factor += begin;
    part.y += begin * args.D;
    part.R = end - begin;
    HWY_DYNAMIC_DISPATCH(gather)(part);
  });
}

void gather_add(const GatherAddArgs& args, const Lane& lane) {
  const auto width = static_cast<double>(args.D * (args.K + 1));
  share(lane, args.T, 0.2 * width, [&](std::int64_t begin, std::int64_t end) {
    GatherAddArgs part = args;
    part.base += begin * args.D;
    part.row += begin * args.K;
    part.y += begin * args.D;
    part.T = end - begin;
    HWY_DYNAMIC_DISPATCH(gather_add)(part);
  });
}

void store_kv(const StoreKvArgs& args, const Lane& lane) {
  const auto width = static_cast<double>(args.G * args.d);
  share(lane, args.T, (is_quantized(args.dtype) ? 4 : 0.2) * width,
        [&](std::int64_t begin, std::int64_t end) {
          StoreKvArgs part = args;
          part.x += begin * args.x_stride;
          part.block += begin;
          part.within += begin;
          part.T = end - begin;
          if (is_quantized(part.dtype)) {
            const auto d = static_cast<std::size_t>(part.d);
            return store_kv_codes(part, {scratch(d), d});
          }
          HWY_DYNAMIC_DISPATCH(store_kv)(part);
        });
}

}  // namespace herd::cpu
#endif
