// Quantized products in plain C++, for processors without the others' instructions, and as what they are compared with
// bit by bit. Every operation is written out for sixteen lanes; the compiler makes of it what it can.
#include <hwy/base.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "kernels/cpu/quantized_extras.h"
#include "kernels/cpu/quantized_product.h"
#include "kernels/cpu/targets.h"
#include "kernels/grid_tables.h"
#include "kernels/packed_block.h"
#include "tensor/float_bits.h"

namespace herd::cpu {
namespace {

struct S : QuantizedExtras {
  using I = std::array<std::int32_t, 16>;
  using F = std::array<float, 16>;
  using Bytes = std::array<std::uint8_t, 64>;
  static constexpr int bands = 1;
  static constexpr int columns = 2;
  static constexpr int few_rows_max = 2;
  static constexpr bool wants_16_bits = false;
  static constexpr int chains = 2;

  template <class Op>
  static I lanes(Op op) {
    I out;
    for (std::size_t i = 0; i < 16; ++i) out[i] = static_cast<std::int32_t>(op(i));
    return out;
  }
  template <class Op>
  static F floats(Op op) {
    F out;
    for (std::size_t i = 0; i < 16; ++i) out[i] = op(i);
    return out;
  }
  template <class Op>
  static I each_byte(I v, Op op) {
    auto bytes = std::bit_cast<Bytes>(v);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(op(unsigned{byte}));
    return std::bit_cast<I>(bytes);
  }

  static I zero() { return I{}; }
  static I load(const void* p) {
    I v;
    std::memcpy(v.data(), p, 64);
    return v;
  }
  static void store(const I& v, void* p) { std::memcpy(p, v.data(), 64); }
  static I broadcast(const void* p) {
    std::int32_t four;
    std::memcpy(&four, p, 4);
    return lanes([&](std::size_t) { return four; });
  }
  static void keep(I&) {}

  static I bits(const I& v, int shift, int mask) {
    return each_byte(v, [&](unsigned b) { return b >> shift & static_cast<unsigned>(mask); });
  }
  static I put_bits(const I& v, int from, int to, int mask) {
    return each_byte(v,
                     [&](unsigned b) { return (b >> from << to) & static_cast<unsigned>(mask); });
  }
  static I bit_or(const I& a, const I& b) {
    return lanes([&](std::size_t i) { return a[i] | b[i]; });
  }
  static I add_bytes(const I& v, int n) {
    return each_byte(v, [&](unsigned b) { return b + static_cast<unsigned>(n); });
  }
  static I flip_signs(const I& v) {
    return each_byte(v, [](unsigned b) { return b ^ 0x80u; });
  }
  static I table(const std::int8_t* values, const I& index) {
    return each_byte(index, [&](unsigned b) { return values[b & 15u]; });
  }

  static I load_u8(const std::uint8_t* p) {
    return lanes([&](std::size_t i) { return p[i]; });
  }
  static I load_s8(const std::int8_t* p) {
    return lanes([&](std::size_t i) { return p[i]; });
  }
  static I lane_bits(const I& v, int shift, int mask) {
    return lanes([&](std::size_t i) {
      return static_cast<std::uint32_t>(v[i]) >> shift & static_cast<std::uint32_t>(mask);
    });
  }
  static I lane_up(const I& v, int shift) {
    return lanes([&](std::size_t i) { return static_cast<std::uint32_t>(v[i]) << shift; });
  }
  static I lane_or(const I& a, const I& b) { return bit_or(a, b); }
  static I lane_add(const I& v, int n) {
    return lanes([&](std::size_t i) { return v[i] + n; });
  }

  static I lane_xor(const I& a, const I& b) {
    return lanes([&](std::size_t i) { return a[i] ^ b[i]; });
  }
  static I load_u16(const std::uint16_t* p) {
    return lanes([&](std::size_t i) { return p[i]; });
  }
  static I gather(const std::uint32_t* words, const I& index) {
    return lanes([&](std::size_t i) { return words[static_cast<std::size_t>(index[i])]; });
  }
  static I lane_table(const std::uint32_t* words, const I& index) { return gather(words, index); }
  static I sum_bytes(const I& a, const I& b) {
    const auto other = std::bit_cast<Bytes>(b);
    std::size_t at = 0;
    return each_byte(a, [&](unsigned byte) { return byte + other[at++]; });
  }
  static I negate_bytes(const I& v, const I& mask) {
    const auto turned = std::bit_cast<Bytes>(mask);
    std::size_t at = 0;
    return each_byte(v, [&](unsigned byte) { return turned[at++] != 0 ? 0u - byte : byte; });
  }

  template <bool has_sign>
  static I dot(const I& sum, const I& code, const I& input) {
    const auto codes = std::bit_cast<Bytes>(code);
    const auto inputs = std::bit_cast<std::array<std::int8_t, 64>>(input);
    return lanes([&](std::size_t i) {
      std::int32_t s = sum[i];
      for (std::size_t b = 4 * i; b < 4 * i + 4; ++b)
        s += (codes[b] - (has_sign ? 128 : 0)) * inputs[b];
      return s;
    });
  }
  template <int groups>
  static I start_of_signed(const QuantizedInputs&, int) {
    return zero();
  }
  static std::int32_t low_half(std::int32_t v) { return static_cast<std::int16_t>(v & 0xffff); }
  template <bool fits>
  static I add_scaled(const I& total, const I& sum, const I& scale) {
    return lanes([&](std::size_t i) { return total[i] + sum[i] * low_half(scale[i]); });
  }
  static I add_pairs(const I& sum, const I& a, const std::int16_t* p) {
    return lanes(
        [&](std::size_t i) { return sum[i] + low_half(a[i]) * p[0] + (a[i] >> 16) * p[1]; });
  }

  static F zero_f32() { return F{}; }
  static F load_f32(const void* p) {
    F v;
    std::memcpy(v.data(), p, 64);
    return v;
  }
  static void store_f32(const F& v, void* p) { std::memcpy(p, v.data(), 64); }
  static F broadcast_f32(const float* p) {
    return floats([&](std::size_t) { return *p; });
  }
  static F load_f16(const std::uint16_t* p) {
    return floats([&](std::size_t i) { return f32_of_f16(p[i]); });
  }
  static F to_float(const I& v) {
    return floats([&](std::size_t i) { return static_cast<float>(v[i]); });
  }
  static F mul(const F& a, const F& b) {
    return floats([&](std::size_t i) { return a[i] * b[i]; });
  }
  static F times(const F& a, float b) {
    return floats([&](std::size_t i) { return a[i] * b; });
  }
  static F plus_product(const F& sum, const F& a, const F& b) {
    return floats([&](std::size_t i) { return std::fma(a[i], b[i], sum[i]); });
  }
  static F minus_product(const F& sum, const F& a, const F& b) {
    return floats([&](std::size_t i) { return std::fma(-a[i], b[i], sum[i]); });
  }
  static F half_power(const I& e) {
    return floats([&](std::size_t i) {
      const auto exponent = static_cast<std::uint32_t>(e[i]);
      return std::bit_cast<float>(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
    });
  }
};

// Nothing is held in registers here, so nothing is gained by writing loops out.
#undef HERD_UNROLL
#define HERD_UNROLL
#include "kernels/cpu/quantized_codes-inl.h"
#include "kernels/cpu/quantized_tile-inl.h"

}  // namespace

const QuantizedKernels quantized_portable{"portable", 0, quantize, multiply, dot_chains};

}  // namespace herd::cpu
