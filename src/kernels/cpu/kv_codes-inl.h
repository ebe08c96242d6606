// Keys and values from the integers of kernels/kv_block.h to float32, a head's share of a block at a time. Included
// once per instruction set.
#if defined(HERD_KERNELS_CPU_KV_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_KV_CODES_INL_H_
#undef HERD_KERNELS_CPU_KV_CODES_INL_H_
#else
#define HERD_KERNELS_CPU_KV_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "kernels/cpu/targets.h"
#include "kernels/kv_block.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace kv {

namespace hn = hwy::HWY_NAMESPACE;

// Half a group is whole vectors of this.
using F = hn::CappedTag<float, 16>;
using I32 = hn::RebindToSigned<F>;
using U8 = hn::Rebind<std::uint8_t, F>;
inline constexpr std::int64_t half_group = kv_group / 2;

inline std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(F())); }

inline auto whole_byte(const std::uint8_t* from) {
  const auto bytes = hn::BitCast(hn::Rebind<std::int8_t, F>(), hn::LoadU(U8(), from));
  return hn::ConvertTo(F(), hn::PromoteTo(I32(), bytes));
}

struct Nibbles {
  hn::Vec<F> low, high;
};
inline Nibbles nibbles(const std::uint8_t* from) {
  const auto bytes = hn::PromoteTo(I32(), hn::LoadU(U8(), from));
  const auto eight = hn::Set(I32(), 8);
  return {hn::ConvertTo(F(), hn::Sub(hn::And(bytes, hn::Set(I32(), 15)), eight)),
          hn::ConvertTo(F(), hn::Sub(hn::ShiftRight<4>(bytes), eight))};
}

// keys_per_block scales, which are whole vectors.
inline void decode_scales(const std::uint16_t* from, float* to) {
  const hn::Rebind<std::uint16_t, F> bits;
  const hn::Rebind<hwy::float16_t, F> half;
  for (std::int64_t i = 0; i < keys_per_block; i += lanes())
    hn::StoreU(hn::PromoteTo(F(), hn::BitCast(half, hn::LoadU(bits, from + i))), F(), to + i);
}

}  // namespace kv

// -> to [d, 64]
inline void decode_keys(KvCodes from, DType dtype, std::int64_t d, float* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  const kv::F f;
  float scale[keys_per_block];
  for (std::int64_t group = 0; group < d / kv_group; ++group, from.scales += keys_per_block) {
    kv::decode_scales(from.scales, scale);
    if (dtype == DType::q8_0) {
      for (std::int64_t i = 0; i < kv_group;
           ++i, from.codes += keys_per_block, to += keys_per_block)
        for (std::int64_t key = 0; key < keys_per_block; key += kv::lanes())
          hn::StoreU(hn::Mul(kv::whole_byte(from.codes + key), hn::LoadU(f, scale + key)), f,
                     to + key);
      continue;
    }
    for (std::int64_t i = 0; i < kv::half_group;
         ++i, from.codes += keys_per_block, to += keys_per_block)
      for (std::int64_t key = 0; key < keys_per_block; key += kv::lanes()) {
        const kv::Nibbles both = kv::nibbles(from.codes + key);
        const auto factor = hn::LoadU(f, scale + key);
        hn::StoreU(hn::Mul(both.low, factor), f, to + key);
        hn::StoreU(hn::Mul(both.high, factor), f, to + kv::half_group * keys_per_block + key);
      }
    to += kv::half_group * keys_per_block;
  }
}

// -> to [64, d]
inline void decode_values(KvCodes from, DType dtype, std::int64_t d, float* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  const kv::F f;
  float scale[keys_per_block];  // of so many groups, whichever rows they belong to
  const std::int64_t groups = keys_per_block * d / kv_group;
  for (std::int64_t group = 0; group < groups; ++group, to += kv_group) {
    const std::int64_t within = group % keys_per_block;
    if (within == 0) kv::decode_scales(from.scales + group, scale);
    const auto factor = hn::Set(f, scale[within]);
    if (dtype == DType::q8_0) {
      for (std::int64_t i = 0; i < kv_group; i += kv::lanes())
        hn::StoreU(hn::Mul(kv::whole_byte(from.codes + i), factor), f, to + i);
      from.codes += kv_group;
      continue;
    }
    for (std::int64_t i = 0; i < kv::half_group; i += kv::lanes()) {
      const kv::Nibbles both = kv::nibbles(from.codes + i);
      hn::StoreU(hn::Mul(both.low, factor), f, to + i);
      hn::StoreU(hn::Mul(both.high, factor), f, to + kv::half_group + i);
    }
    from.codes += kv::half_group;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
