// The inner products: R x 16 outputs by C rows of x by 256 inputs, in registers. Included after quantized_codes-inl.h.
//
// What a block adds to y, in this order and in no other:
//   integer scales:  y = fma(t, d_x, y),  t = fma(-dmin, M, S d)
//                    S = sum over groups of scale * sum of code * x,  M = sum over groups of min * sum of x: integers
//   float scales:    y = fma(P_g d_x,g, scale_g, y), group by group; P_g an integer, d_x,g of the group's inputs
//                    and, with minima, y = fma(A_g d_x,g, min_g, y) after all of those

// What the sums of a format depend on. Weights that are decoded beforehand are the same to all formats of one form, so
// those share their code.
template <bool integers, int count, bool with_minima>
struct Form {
  static constexpr bool integer_scales = integers;
  static constexpr int groups = count;
  static constexpr bool minima = with_minima;  // codes have no sign then
};
template <class Block>
using FormOf = Form<has_integer_scales<Block>, groups_of<Block>, has_minima<Block>>;

template <class T, int R, int C>
using Grid = T[static_cast<std::size_t>(R)][static_cast<std::size_t>(C)];

// Where sums of group g begin.
template <int groups, bool has_sign>
HWY_INLINE S::I first_sum(const QuantizedInputs& x, int g) {
  if constexpr (!has_sign) return S::zero();
  return S::template start_of_signed<groups>(x, g);
}

// P_g of all columns: the exact sums of a group.
template <int groups, bool has_sign, int R, int C, class Source>
HWY_INLINE void group_sums(const Source (&w)[static_cast<std::size_t>(R)],
                           const QuantizedInputs* HWY_RESTRICT x, int g,
                           Grid<typename S::I, R, C>& sum) {
  constexpr int vectors = packed_vectors / groups;
  if constexpr (S::has_two_by_six && R == 2 && C == 6 && !Source::shifts) {
    const std::int32_t* start = groups == 8 ? x->minus128_sum32 + g : x->minus128_sum16 + g;
    S::template two_by_six<vectors, has_sign>(w[0].panel->code[g * vectors],
                                              w[1].panel->code[g * vectors],
                                              x->code + 4 * g * vectors, start, sum);
    return;
  }
  if constexpr (S::pairs_inputs && !Source::shifts) {
    static_assert(R == 1);
    S::template paired<vectors, C>(w[0].panel->code[g * vectors], x, 4 * g * vectors, sum[0]);
    return;
  }
  HERD_UNROLL for (int c = 0; c < C; ++c) {
    const auto start = first_sum<groups, has_sign>(x[c], g);
    HERD_UNROLL for (int r = 0; r < R; ++r) sum[r][c] = start;
  }
  HERD_UNROLL for (int i = 0; i < vectors; ++i) {
    typename S::I code[static_cast<std::size_t>(R)];
    HERD_UNROLL for (int r = 0; r < R; ++r) code[r] = w[r].codes(g * vectors + i);
    HERD_UNROLL for (int c = 0; c < C; ++c) {
      const std::int8_t* const four = x[c].code + 4 * (g * vectors + i);
      if constexpr (R == 1 && S::has_dot_with) {
        sum[0][c] = S::template dot_with<has_sign>(sum[0][c], code[0], four);
      } else {
        const auto input = S::broadcast(four);
        HERD_UNROLL for (int r = 0; r < R; ++r) sum[r][c] =
            S::template dot<has_sign>(sum[r][c], code[r], input);
      }
    }
  }
}

// Groups whose shifts must be constants are written out together; others are one round of a loop each, which keeps the
// loop short.
template <class Source, int groups>
inline constexpr int groups_at_once = Source::shifts ? groups / 4 : 1;

// Sums of integers become part of y. One sum after the other, from memory: with all of them in registers the compiler
// moves more than it computes.
template <class F, int C, class Source>
HWY_INLINE void add_integers(const Source& w, const QuantizedInputs* HWY_RESTRICT x,
                             const std::int32_t* HWY_RESTRICT total, float* HWY_RESTRICT y) {
  constexpr int pairs = F::groups / 2;
  const auto d = w.d();
  if constexpr (F::minima) {
    const auto dmin = w.dmin();
    typename S::I min[static_cast<std::size_t>(pairs)];
    HERD_UNROLL for (int p = 0; p < pairs; ++p) min[p] = w.minima(p);
    HERD_ROLLED for (int c = 0; c < C; ++c) {
      const std::int16_t* sums = pairs == 4 ? x[c].sum32 : x[c].sum16;
      auto minima = S::zero();
      HERD_UNROLL for (int p = 0; p < pairs; ++p) minima =
          S::add_pairs(minima, min[p], sums + 2 * p);
      const auto t = S::minus_product(S::mul(S::to_float(S::load(total + c * 16)), d),
                                      S::to_float(minima), dmin);
      S::store_f32(S::plus_product(S::load_f32(y + c * 16), t, S::broadcast_f32(&x[c].d)),
                   y + c * 16);
    }
  } else {
    HERD_ROLLED for (int c = 0; c < C; ++c) {
      const auto t = S::mul(S::to_float(S::load(total + c * 16)), d);
      S::store_f32(S::plus_product(S::load_f32(y + c * 16), t, S::broadcast_f32(&x[c].d)),
                   y + c * 16);
    }
  }
}

template <class F, bool fits, int R, int C, class Source>
HWY_INLINE void integer_tile(const Source (&w)[static_cast<std::size_t>(R)],
                             const QuantizedInputs* HWY_RESTRICT x,
                             float* const (&y)[static_cast<std::size_t>(R)],
                             std::int32_t* HWY_RESTRICT sums) {
  constexpr int groups = F::groups;
  constexpr int at_once = groups_at_once<Source, groups>;
  Grid<typename S::I, R, C> total;
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int c = 0; c < C; ++c) total[r][c] =
      S::zero();
  HERD_ROLLED for (int first = 0; first < groups; first += at_once) {
    HERD_UNROLL for (int i = 0; i < at_once; ++i) {
      const int g = first + i;
      HERD_UNROLL for (int r = 0; r < R; ++r) w[r].template ask_ahead<groups>(g);
      Grid<typename S::I, R, C> sum;
      group_sums<groups, !F::minima, R, C>(w, x, g, sum);
      HERD_UNROLL for (int r = 0; r < R; ++r) {
        const auto scale = w[r].integer_scale(g);
        HERD_UNROLL for (int c = 0; c < C; ++c) total[r][c] =
            S::template add_scaled<fits>(total[r][c], sum[r][c], scale);
      }
    }
  }
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int c = 0; c < C; ++c)
      S::store(total[r][c], sums + (r * C + c) * 16);
  HERD_UNROLL for (int r = 0; r < R; ++r) add_integers<F, C>(w[r], x, sums + r * C * 16, y[r]);
}

template <class F, int R, int C, class Source>
HWY_INLINE void float_tile(const Source (&w)[static_cast<std::size_t>(R)],
                           const QuantizedInputs* HWY_RESTRICT x,
                           float* const (&y)[static_cast<std::size_t>(R)]) {
  constexpr int groups = F::groups;
  constexpr int at_once = groups_at_once<Source, groups>;
  Grid<typename S::F, R, C> t;
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int c = 0; c < C; ++c) t[r][c] =
      S::load_f32(y[r] + c * 16);
  HERD_ROLLED for (int first = 0; first < groups; first += at_once) {
    HERD_UNROLL for (int i = 0; i < at_once; ++i) {
      const int g = first + i;
      HERD_UNROLL for (int r = 0; r < R; ++r) w[r].template ask_ahead<groups>(g);
      Grid<typename S::I, R, C> sum;
      group_sums<groups, !F::minima, R, C>(w, x, g, sum);
      HERD_UNROLL for (int r = 0; r < R; ++r) {
        const auto scale = w[r].float_scale(g);
        HERD_UNROLL for (int c = 0; c < C; ++c) t[r][c] = S::plus_product(
            t[r][c], S::mul(S::to_float(sum[r][c]), S::broadcast_f32(&x[c].d32[g])), scale);
      }
    }
  }
  HERD_UNROLL for (int r = 0; r < R; ++r) {
    if constexpr (F::minima) HERD_UNROLL for (int g = 0; g < groups; ++g) {
        const auto min = w[r].float_min(g);
        HERD_UNROLL for (int c = 0; c < C; ++c) t[r][c] =
            S::plus_product(t[r][c],
                            S::mul(S::to_float(S::broadcast(&x[c].minus128_sum32[g])),
                                   S::broadcast_f32(&x[c].d32[g])),
                            min);
      }
    HERD_UNROLL for (int c = 0; c < C; ++c) S::store_f32(t[r][c], y[r] + c * 16);
  }
}

// `sums`: room for R x C x 16 integers. `fits`: the largest sum of a group fits 16 bits.
template <class F, int R, int C, class Source>
HWY_NOINLINE void tile(const Source (&w)[static_cast<std::size_t>(R)], const QuantizedInputs* x,
                       float* const (&y)[static_cast<std::size_t>(R)], std::int32_t* sums,
                       bool fits) {
  if constexpr (!F::integer_scales)
    float_tile<F, R, C>(w, x, y);
  else if (S::wants_16_bits && fits)
    integer_tile<F, true, R, C>(w, x, y, sums);
  else
    integer_tile<F, false, R, C>(w, x, y, sums);
}

template <class Block>
bool fit_16_bits(const QuantizedInputs* x, std::int64_t rows) {
  bool fits = true;
  if constexpr (S::wants_16_bits && has_integer_scales<Block>)
    for (std::int64_t c = 0; c < rows; ++c) fits &= fits_16_bits<Block>(x[c]);
  return fits;
}

// The rows of x of one tile when weights are decoded beforehand: as many as registers hold.
inline constexpr int columns_max = S::columns;

template <class F, int R, int C>
void tiles_of_rows(const Decoded (&w)[static_cast<std::size_t>(R)], const QuantizedInputs* x,
                   float* const (&y)[static_cast<std::size_t>(R)], std::int32_t* sums,
                   std::int64_t rows, bool fits) {
  if constexpr (C > 0) {
    if (rows == C) return tile<F, R, C>(w, x, y, sums, fits);
    tiles_of_rows<F, R, C - 1>(w, x, y, sums, rows, fits);
  }
}

// Many rows: a panel of R x 16 outputs is decoded to the first-level cache, and all rows pass.
template <class Block, int R>
void multiply_block(const Block* block, const Block* next, std::int64_t row_of_blocks,
                    const QuantizedInputs* x, std::int64_t rows, bool all_fit, float* y,
                    Workplace& place) {
  Decoded w[static_cast<std::size_t>(R)];
  for (int r = 0; r < R; ++r) {
    decode_panel(block[r * row_of_blocks], place.panel[r]);
    w[r].panel = place.panel + r;
  }
  const std::int64_t tiles = (rows + columns_max - 1) / columns_max;
  // The next blocks come meanwhile, a few lines a tile: they do not lie one after the other, so nobody else sees ahead.
  const std::int64_t lines = (lines_of<Block> + tiles - 1) / tiles;
  for (std::int64_t i = 0; i < tiles; ++i) {
    if (i * lines < lines_of<Block>)
      for (int r = 0; r < R; ++r) ask_for(next + r * row_of_blocks, i * lines, lines);
    const std::int64_t begin = rows * i / tiles, end = rows * (i + 1) / tiles;
    float* to[static_cast<std::size_t>(R)];
    for (int r = 0; r < R; ++r) to[r] = y + (r * rows + begin) * packed_outs;
    const bool fits = all_fit || fit_16_bits<Block>(x + begin, end - begin);
    tiles_of_rows<FormOf<Block>, R, columns_max>(w, x + begin, to, place.sums, end - begin, fits);
  }
}

template <class Block>
void multiply_many_rows(const QuantizedItem& item, void* scratch) {
  const std::int64_t blocks = (item.weight->in + packed_inputs - 1) / packed_inputs;
  const std::int64_t bands = (item.out_end - item.out_begin + packed_outs - 1) / packed_outs;
  const auto* first =
      static_cast<const Block*>(item.weight->data) + item.out_begin / packed_outs * blocks;
  auto& place = *static_cast<Workplace*>(scratch);
  for (std::int64_t i = 0; i < bands * item.rows; ++i)
    S::store_f32(S::zero_f32(), item.y + i * packed_outs);
  for (std::int64_t b = 0; b < blocks; ++b) {
    const QuantizedInputs* x = item.x + b * item.x_step;
    const bool all_fit = fit_16_bits<Block>(x, item.rows);
    for (std::int64_t band = 0, together; band < bands; band += together) {
      together = band + S::bands <= bands ? S::bands : 1;
      const Block* block = first + band * blocks + b;
      // After the last band of this block of inputs comes the first of the next.
      const std::int64_t after = band + together < bands ? band + together : 0;
      const Block* next = first + after * blocks + std::min(b + (after == 0), blocks - 1);
      float* y = item.y + band * item.rows * packed_outs;
      if (together == S::bands)
        multiply_block<Block, S::bands>(block, next, blocks, x, item.rows, all_fit, y, place);
      else
        multiply_block<Block, 1>(block, next, blocks, x, item.rows, all_fit, y, place);
    }
  }
}

// Few rows: bound by the weights' way from memory, which are read once, in order, and decoded in registers. Rows beyond
// the item's last are computed with what lies there, into scratch that nobody reads.
template <class Block, int C>
void multiply_few_rows_of(const QuantizedItem& item, Workplace& place) {
  float* y = place.y;
  const std::int64_t blocks = (item.weight->in + packed_inputs - 1) / packed_inputs;
  const auto* block =
      static_cast<const Block*>(item.weight->data) + item.out_begin / packed_outs * blocks;
  float* to = item.y;
  // As a rule every block of inputs fits, and is not asked again for every band.
  bool all_fit = true;
  for (std::int64_t b = 0; b < blocks; ++b)
    all_fit = all_fit && fit_16_bits<Block>(item.x + b * item.x_step, C);
  for (std::int64_t out = item.out_begin; out < item.out_end; out += packed_outs) {
    for (int c = 0; c < C; ++c) S::store_f32(S::zero_f32(), y + c * packed_outs);
    float* const sums[1] = {y};
    for (std::int64_t b = 0; b < blocks; ++b, ++block) {
      const InPlace<Block> w[1] = {{block}};
      const QuantizedInputs* x = item.x + b * item.x_step;
      tile<FormOf<Block>, 1, C>(w, x, sums, place.sums, all_fit || fit_16_bits<Block>(x, C));
    }
    for (std::int64_t t = 0; t < item.rows; ++t, to += packed_outs)
      S::store_f32(S::load_f32(y + t * packed_outs), to);
  }
}

template <class Block>
void multiply_rows(const QuantizedItem& item, void* scratch) {
  auto& place = *static_cast<Workplace*>(scratch);
  if (item.rows == 1) return multiply_few_rows_of<Block, 1>(item, place);
  if (item.rows == 2) return multiply_few_rows_of<Block, 2>(item, place);
  if constexpr (S::few_rows_max >= 4)
    if (item.rows <= 4) return multiply_few_rows_of<Block, 4>(item, place);
  if constexpr (S::few_rows_max >= 8)
    if (item.rows <= 8) return multiply_few_rows_of<Block, 8>(item, place);
  if constexpr (S::few_rows_max >= 12)
    if (item.rows <= 12) return multiply_few_rows_of<Block, 12>(item, place);
  multiply_many_rows<Block>(item, scratch);
}

void multiply(const QuantizedItem& item, void* scratch) {
  const bool known = with_packed_block(
      item.weight->dtype, [&]<class Block>(const Block*) { multiply_rows<Block>(item, scratch); });
  HERD_CHECK(known, "no product with packed weights of {}", row_of(item.weight->dtype).name);
}

// Rounded to nearest even by adding a number whose last place is 1.
inline constexpr float rounding = 12582912.0f;  // 1.5 * 2^23

// `count` inputs that share a scale, as integers; returns the scale.
template <int count>
float round_inputs(const float* x, std::int32_t* code) {
  std::uint32_t largest = 0;
  for (int k = 0; k < count; ++k) {
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x[k]) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  constexpr std::uint32_t infinity = 0x7f800000u, tiny = 0x0d800000u;  // 2^-100
  const float most = std::bit_cast<float>(largest);
  const bool usable = largest < infinity && largest >= tiny;
  const float inverse = usable ? 127.0f / most : 0.0f;
  for (int k = 0; k < count; ++k) {
    const float scaled = (usable ? x[k] : 0.0f) * inverse + rounding;
    code[k] = std::bit_cast<std::int32_t>(scaled) - std::bit_cast<std::int32_t>(rounding);
  }
  if (usable) return most / 127.0f;
  return largest < infinity ? 0.0f : std::bit_cast<float>(0x7fc00000u);
}

void quantize_block(InputScales scales, const float* x, QuantizedInputs& to) {
  alignas(64) std::int32_t code[256];
  if (scales == InputScales::per_256) {
    to.d = round_inputs<256>(x, code);
    for (float& d : to.d32) d = to.d;
  } else {
    to.d = 0;
    for (int g = 0; g < 8; ++g) to.d32[g] = round_inputs<32>(x + 32 * g, code + 32 * g);
  }
  for (int k = 0; k < 256; ++k) to.code[k] = static_cast<std::int8_t>(code[k]);
  to.one_sided32 = to.magnitude16 = 0;
  for (int g = 0; g < 8; ++g) {
    std::int32_t sums[2], magnitudes[2];
    for (int half = 0; half < 2; ++half) {
      const std::int32_t* from = code + g * 32 + half * 16;
      std::int32_t sum = 0, magnitude = 0;
      for (int k = 0; k < 16; ++k) {
        sum += from[k];
        magnitude += from[k] < 0 ? -from[k] : from[k];
      }
      sums[half] = sum;
      magnitudes[half] = magnitude;
      to.minus128_sum16[2 * g + half] = -128 * sum;
      to.sum16[2 * g + half] = static_cast<std::int16_t>(sum);
      to.magnitude16 = magnitude > to.magnitude16 ? magnitude : to.magnitude16;
    }
    const std::int32_t sum = sums[0] + sums[1], magnitude = magnitudes[0] + magnitudes[1];
    to.minus128_sum32[g] = -128 * sum;
    to.sum32[g] = static_cast<std::int16_t>(sum);
    const std::int32_t one_sided = (magnitude + (sum < 0 ? -sum : sum)) / 2;
    to.one_sided32 = one_sided > to.one_sided32 ? one_sided : to.one_sided32;
  }
}

void quantize(InputScales scales, const float* x, std::int64_t in, QuantizedInputs* to,
              std::int64_t step) {
  for (; in >= 256; in -= 256, x += 256, to += step) quantize_block(scales, x, *to);
  if (in == 0) return;
  float part[256] = {};
  for (std::int64_t k = 0; k < in; ++k) part[k] = x[k];
  quantize_block(scales, part, *to);
}

[[maybe_unused]] double dot_chains(std::int64_t rounds) {
  constexpr int chains = S::chains;
  typename S::I sum[static_cast<std::size_t>(chains)];
  const std::int32_t seed[2] = {0x01020304, 0x05060708};
  const auto a = S::broadcast(seed), b = S::broadcast(seed + 1);
  HERD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = S::lane_add(S::zero(), c);
  for (std::int64_t i = 0; i < rounds; ++i) {
    HERD_UNROLL for (int c = 0; c < chains; ++c) {
      sum[c] = S::template dot<false>(sum[c], a, b);
      S::keep(sum[c]);
    }
  }
  return 2.0 * 64 * chains * static_cast<double>(rounds);
}
