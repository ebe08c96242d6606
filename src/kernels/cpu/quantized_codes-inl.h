// Packed blocks as vectors: codes as unsigned bytes, scales and minima as numbers of 16 outputs. Included by each file
// of quantized kernels, within its namespace, after its vector class S (quantized_vnni512.cc says what S has,
// quantized_extras.h what it may have).
//
// Formats of two kinds. Integer scales: codes with a scale of at most eight bits per 16 or 32 inputs and one or two
// half-precision numbers for all 256. Float scales: one per 32 inputs.
//
// Codes with a sign are 128 above what they mean; the -128 times the sum of inputs is where their sums begin.

template <class Block>
inline constexpr bool has_integer_scales = input_scales(Block::dtype) == InputScales::per_256;
template <class Block>
inline constexpr bool has_minima =
    requires(const Block& b) { b.scales.dmin; } || requires(const Block& b) { b.scales.m; };
// Formats with minima have unsigned codes.
template <class Block>
inline constexpr bool has_signs = !has_minima<Block>;
template <class Block>
inline constexpr int groups_of = [] {
  switch (Block::dtype) {
    case DType::q6_k:
    case DType::q3_k:
    case DType::q2_k:
    case DType::iq2_xs:
    case DType::iq2_s:
    case DType::iq1_m:
      return 16;
    default:
      return 8;
  }
}();
// The largest magnitude of a code with a sign.
template <class Block>
inline constexpr std::int32_t magnitude_of = [] {
  switch (Block::dtype) {
    case DType::iq2_xxs:
    case DType::iq2_xs:
    case DType::iq2_s:
      return std::int32_t{*std::ranges::max_element(quant::grid_2_levels)};
    case DType::iq3_xxs:
      return std::int32_t{*std::ranges::max_element(quant::iq3_xxs_levels)};
    case DType::iq3_s:
      return std::int32_t{*std::ranges::max_element(quant::iq3_s_levels)};
    case DType::iq1_s:
    case DType::iq1_m:
      return std::int32_t{9};  // eight eighths and one
    default:
      return std::int32_t{32};
  }
}();

// The largest sum of a group's products, given its inputs, fits 16 bits.
template <class Block>
HWY_INLINE bool fits_16_bits(const QuantizedInputs& x) {
  constexpr std::int32_t limit = 32767;
  if constexpr (Block::dtype == DType::q2_k || Block::dtype == DType::q3_k) return true;
  if constexpr (Block::dtype == DType::q4_k) return x.one_sided32 * 15 <= limit;
  if constexpr (Block::dtype == DType::q5_k) return x.one_sided32 * 31 <= limit;
  return x.magnitude16 * (16 / groups_of<Block>)*magnitude_of<Block> <= limit;
}

// The indices of group k into the grid, of 16 outputs.
template <class Block>
HWY_INLINE S::I index_at(const Block& block, int k) {
  const auto& s = block.scales;
  const auto low = S::load_u8(block.codes.low[k]);
  if constexpr (Block::dtype == DType::iq2_xs)
    return S::lane_or(low, S::lane_up(S::lane_bits(S::load_u8(s.rest[k]), 0, 1), 8));
  if constexpr (Block::dtype == DType::iq2_s)
    return S::lane_or(low, S::lane_up(S::lane_bits(S::load_u8(s.high[k / 4]), k % 4 * 2, 3), 8));
  if constexpr (Block::dtype == DType::iq3_s)
    return S::lane_or(low, S::lane_up(S::lane_bits(S::load_u8(s.high[k / 8]), k % 8, 1), 8));
  if constexpr (Block::dtype == DType::iq1_s)
    return S::lane_or(low, S::lane_up(S::lane_bits(S::load_u16(s.word[k / 4]), k % 4 * 3, 7), 8));
  if constexpr (Block::dtype == DType::iq1_m)
    return S::lane_or(low, S::lane_up(S::lane_bits(S::load_u8(s.high[k / 2]), k % 2 * 4, 7), 8));
  return low;
}

// Signs of the eight inputs of group k, a bit each; seven are written where their number is even.
template <class Block>
HWY_INLINE S::I signs_at(const Block& block, int k) {
  const auto& s = block.scales;
  if constexpr (requires { s.signs; }) {
    return S::load_u8(s.signs[k]);
  } else {
    typename S::I seven;
    if constexpr (Block::dtype == DType::iq2_xs)
      seven = S::lane_bits(S::load_u8(s.rest[k]), 1, 127);
    else
      seven = S::lane_bits(S::load(s.word[k / 4]), k % 4 * 7, 127);
    const auto four = S::lane_xor(S::lane_bits(seven, 0, 15), S::lane_bits(seven, 4, 15));
    return S::lane_or(seven, S::lane_table(even_bit_of_four.data(), four));
  }
}

template <class Block>
constexpr const std::uint32_t* grid_of() {
  switch (Block::dtype) {
    case DType::iq2_xxs:
      return iq2_xxs_table.data();
    case DType::iq2_xs:
      return iq2_xs_table.data();
    case DType::iq2_s:
      return iq2_s_table.data();
    case DType::iq3_xxs:
      return iq3_xxs_table.data();
    case DType::iq3_s:
      return iq3_s_table.data();
    default:
      return iq1_table.data();
  }
}

// Vector n of a block with a grid.
template <class Block>
HWY_INLINE S::I grid_codes_at(const Block& block, int n) {
  typename S::I v;
  if constexpr (Block::Codes::per_index == 8)
    v = S::gather(grid_of<Block>() + n % 2, S::lane_up(index_at(block, n / 2), 1));
  else
    v = S::gather(grid_of<Block>(), index_at(block, n));
  if constexpr (Block::dtype == DType::iq1_s || Block::dtype == DType::iq1_m) {
    const int k = n / 2;
    typename S::I down;
    if constexpr (Block::dtype == DType::iq1_s)
      down = S::lane_bits(S::load_u16(block.scales.word[k / 4]), 15, 1);
    else
      down = S::lane_bits(S::load_u8(block.scales.high[k / 2]), k % 2 * 4 + 3, 1);
    v = S::sum_bytes(v, S::lane_table(eighth_up_or_down.data(), down));
  } else {
    const auto four = S::lane_bits(signs_at(block, n / 2), n % 2 * 4, 15);
    v = S::negate_bytes(v, S::lane_table(bytes_of_bits.data(), four));
  }
  return S::flip_signs(v);
}

// Vector n of a block's codes as unsigned bytes, offset where they have signs.
template <class Block>
HWY_INLINE S::I codes_at(const Block& block, int n)
  requires has_grid<Block>
{
  return grid_codes_at(block, n);
}
template <class Block>
HWY_INLINE S::I codes_at(const Block& block, int n) {
  using Codes = typename Block::Codes;
  const Codes& c = block.codes;
  typename S::I v;
  if constexpr (Codes::bits == 8) {
    v = S::load(c.bytes[n]);
  } else if constexpr (Codes::bits >= 4) {
    v = S::bits(S::load(c.nibbles[n / 16 * 8 + n % 8]), 4 * (n / 8 % 2), 0x0f);
  } else {
    v = S::bits(S::load(c.pairs[n / 4]), 2 * (n % 4), 0x03);
  }
  if constexpr (Codes::bits == 5)
    v = S::bit_or(v, S::put_bits(S::load(c.fifth[n / 8]), n % 8, 4, 0x10));
  if constexpr (Codes::bits == 6)
    v = S::bit_or(v, S::put_bits(S::load(c.pairs[n / 4]), 2 * (n % 4), 4, 0x30));
  if constexpr (Codes::bits == 3)
    v = S::bit_or(v, S::put_bits(S::load(c.third[n / 8]), n % 8, 2, 0x04));
  switch (Block::dtype) {
    case DType::q8_0:
    case DType::q8_k:
      return S::flip_signs(v);
    case DType::q4_0:
    case DType::int4:
      return S::add_bytes(v, 128 - 8);
    case DType::q5_0:
      return S::add_bytes(v, 128 - 16);
    case DType::q6_k:
      return S::add_bytes(v, 128 - 32);
    case DType::q3_k:
      return S::add_bytes(v, 128 - 4);
    case DType::iq4_nl:
    case DType::iq4_xs:
      return S::flip_signs(S::table(iq4_values, v));
    case DType::mxfp4:
      return S::flip_signs(S::table(mxfp4_values, v));
    default:
      return v;
  }
}

// Scales of formats with grids: one more than twice what is written; d is taken by as much less.
HWY_INLINE S::I odd(S::I written) { return S::lane_add(S::lane_up(written, 1), 1); }

// Integer scale of group g in the low 16 bits of each lane, zeros above.
template <class Block>
HWY_INLINE S::I integer_scale_at(const Block& block, int g) {
  const auto& s = block.scales;
  if constexpr (has_grid<Block>) {
    if constexpr (requires { s.scale; })
      return odd(S::lane_bits(S::load_u8(s.scale[g / 2]), 4 * (g % 2), 15));
    else if constexpr (Block::dtype == DType::iq1_s)
      return odd(S::lane_bits(S::load_u16(s.word[g]), 12, 7));
    else if constexpr (Block::dtype == DType::iq1_m)
      return odd(
          S::lane_or(S::lane_bits(S::load_u16(s.scale_bits[0]), g, 1),
                     S::lane_or(S::lane_up(S::lane_bits(S::load_u16(s.scale_bits[1]), g, 1), 1),
                                S::lane_up(S::lane_bits(S::load_u16(s.scale_bits[2]), g, 1), 2))));
    else
      return odd(S::lane_bits(S::load(s.word[g]), 28, 15));
  } else if constexpr (Block::dtype == DType::q4_k || Block::dtype == DType::q5_k) {
    const auto high = S::lane_bits(S::load_u8(s.scale_high[g / 4]), 2 * (g % 4), 3);
    return S::lane_or(S::lane_bits(S::load_u8(s.low[g]), 0, 15), S::lane_up(high, 4));
  } else if constexpr (Block::dtype == DType::q2_k) {
    return S::lane_bits(S::load_u8(s.both[g]), 0, 15);
  } else if constexpr (Block::dtype == DType::q6_k) {
    return S::lane_bits(S::load_s8(s.scale[g]), 0, 0xffff);
  } else {
    const auto low = S::lane_bits(S::load_u8(s.low[g / 2]), 4 * (g % 2), 15);
    const auto high = S::lane_bits(S::load_u8(s.high[g / 4]), 2 * (g % 4), 3);
    return S::lane_bits(S::lane_add(S::lane_or(low, S::lane_up(high, 4)), -32), 0, 0xffff);
  }
}

// Integer minima of groups 2 p (low 16 bits) and 2 p + 1.
template <class Block>
HWY_INLINE S::I minima_at(const Block& block, int p) {
  const auto& s = block.scales;
  if constexpr (Block::dtype == DType::q2_k) {
    return S::lane_or(S::lane_bits(S::load_u8(s.both[2 * p]), 4, 15),
                      S::lane_up(S::lane_bits(S::load_u8(s.both[2 * p + 1]), 4, 15), 16));
  } else {
    const auto high = S::load_u8(s.min_high[p / 2]);
    const auto even = S::lane_or(S::lane_bits(S::load_u8(s.low[2 * p]), 4, 15),
                                 S::lane_up(S::lane_bits(high, 4 * (p % 2), 3), 4));
    const auto odd = S::lane_or(S::lane_bits(S::load_u8(s.low[2 * p + 1]), 4, 15),
                                S::lane_up(S::lane_bits(high, 4 * (p % 2) + 2, 3), 4));
    return S::lane_or(even, S::lane_up(odd, 16));
  }
}

// Float scale of the 32 inputs of group g.
template <class Block>
HWY_INLINE S::F float_scale_at(const Block& block, int g) {
  const auto& s = block.scales;
  if constexpr (Block::dtype == DType::q8_k) {
    return S::load_f32(s.d);
  } else if constexpr (Block::dtype == DType::int4) {
    return S::load_f32(s.d[g / 4]);
  } else if constexpr (Block::dtype == DType::mxfp4) {
    return S::half_power(S::load_u8(s.e[g]));
  } else if constexpr (Block::dtype == DType::iq4_xs) {
    const auto low = S::lane_bits(S::load_u8(s.low[g / 2]), 4 * (g % 2), 15);
    const auto high = S::lane_bits(S::load_u8(s.high[g / 4]), 2 * (g % 4), 3);
    const auto scale = S::lane_add(S::lane_or(low, S::lane_up(high, 4)), -32);
    return S::mul(S::to_float(scale), S::load_f16(s.d));
  } else {
    return S::load_f16(s.d[g]);
  }
}

// What integer scales are multiples of.
template <class Block>
HWY_INLINE S::F d_at(const Block& block) {
  const auto d = S::load_f16(block.scales.d);
  if constexpr (Block::dtype == DType::iq3_xxs) return S::times(d, 0.25f);
  if constexpr (has_grid<Block> && Block::dtype != DType::iq3_s) return S::times(d, 0.125f);
  return d;
}

// Asks for `lines` lines of memory from line `first` on.
HWY_INLINE void ask_for(const void* p, std::int64_t first, std::int64_t lines) {
  const auto* from = static_cast<const char*>(p) + first * 64;
  for (std::int64_t i = 0; i < lines; ++i) __builtin_prefetch(from + i * 64, 0, 2);
}
template <class Block>
inline constexpr std::int64_t lines_of = (sizeof(Block) + 63) / 64;

// A packed block, decoded while it is multiplied.
template <class Block>
struct InPlace {
  static constexpr bool shifts = true;
  const Block* block;
  // Asks for a part of a block that is multiplied later. A part with every group: all at once would fill the queue of
  // missing lines, and nothing is multiplied until it has room again.
  template <int groups>
  HWY_INLINE void ask_ahead(int g) const {
    constexpr std::int64_t lines = (lines_of<Block> + groups - 1) / groups;
    constexpr std::int64_t distance = 104;  // lines: 6.5 KiB, measured on Zen 4
    ask_for(block, distance + g * lines, lines);
  }
  HWY_INLINE S::I codes(int n) const { return codes_at(*block, n); }
  HWY_INLINE S::I integer_scale(int g) const { return integer_scale_at(*block, g); }
  HWY_INLINE S::I minima(int p) const { return minima_at(*block, p); }
  HWY_INLINE S::F float_scale(int g) const { return float_scale_at(*block, g); }
  HWY_INLINE S::F float_min(int g) const {
    return S::times(S::load_f16(block->scales.m[g]), -1.0f / 128);
  }
  HWY_INLINE S::F d() const { return d_at(*block); }
  HWY_INLINE S::F dmin() const { return S::load_f16(block->scales.dmin); }
};

// The same decoded beforehand, for many rows of x.
struct alignas(64) Panel {
  std::uint8_t code[64][64];
  std::int32_t scale[16][16];  // integers, or bits of floats
  std::int32_t min[8][16];
  float d[16], dmin[16];
};

// What a thread multiplies with.
struct alignas(64) Workplace {
  Panel panel[2];
  std::int32_t sums[12 * 16];
  float y[12 * 16];
};
static_assert(sizeof(Workplace) <= product_scratch);

struct Decoded {
  static constexpr bool shifts = false;
  const Panel* panel;
  template <int groups>
  HWY_INLINE void ask_ahead(int) const {}
  HWY_INLINE S::I codes(int n) const { return S::load(panel->code[n]); }
  HWY_INLINE S::I integer_scale(int g) const { return S::load(panel->scale[g]); }
  HWY_INLINE S::I minima(int p) const { return S::load(panel->min[p]); }
  HWY_INLINE S::F float_scale(int g) const { return S::load_f32(panel->scale[g]); }
  HWY_INLINE S::F float_min(int g) const { return S::load_f32(panel->min[g]); }
  HWY_INLINE S::F d() const { return S::load_f32(panel->d); }
  HWY_INLINE S::F dmin() const { return S::load_f32(panel->dmin); }
};

template <class Block>
void decode_panel(const Block& block, Panel& to) {
  const InPlace<Block> from{&block};
  if constexpr (S::pairs_inputs)
    HERD_UNROLL for (int n = 0; n < 64; n += 2)
        S::template store_pair<has_signs<Block>>(from.codes(n), from.codes(n + 1), to.code[n]);
  else
    HERD_UNROLL for (int n = 0; n < 64; ++n) S::store(from.codes(n), to.code[n]);
  constexpr int groups = groups_of<Block>;
  if constexpr (has_integer_scales<Block>) {
    HERD_UNROLL for (int g = 0; g < groups; ++g) S::store(from.integer_scale(g), to.scale[g]);
    S::store_f32(from.d(), to.d);
    if constexpr (has_minima<Block>) {
      HERD_UNROLL for (int p = 0; p < groups / 2; ++p) S::store(from.minima(p), to.min[p]);
      S::store_f32(from.dmin(), to.dmin);
    }
  } else {
    HERD_UNROLL for (int g = 0; g < groups; ++g) S::store_f32(from.float_scale(g), to.scale[g]);
    if constexpr (has_minima<Block>)
      HERD_UNROLL for (int g = 0; g < groups; ++g) S::store_f32(from.float_min(g), to.min[g]);
  }
}
