// What the vector class S of some quantized products has beyond what the shared text asks of all of them
// (quantized_codes-inl.h, quantized_tile-inl.h). S derives from QuantizedExtras and says by members of the same names
// what it has.
#pragma once

namespace herd::cpu {

struct QuantizedExtras {
  // All sums of a group for two bands of 16 outputs and six rows of x in one piece.
  static constexpr bool has_two_by_six = false;
  template <int vectors, bool has_sign, class... Any>
  static void two_by_six(Any&&...);  // not here

  // Products of eight inputs at once: panels hold, for a pair of outputs each, the codes of eight inputs, as
  // store_pair() left them, and paired() makes of them all sums of a group for one band.
  static constexpr bool pairs_inputs = false;
  template <bool has_sign, class... Any>
  static void store_pair(Any&&...);  // not here
  template <int vectors, int C, class... Any>
  static void paired(Any&&...);  // not here

  // A product whose four inputs come straight from memory.
  static constexpr bool has_dot_with = false;
  template <bool has_sign, class... Any>
  static auto dot_with(Any&&...);  // not here

  // Whether it helps to know that the sums of groups fit 16 bits.
  static constexpr bool wants_16_bits = true;
};

}  // namespace herd::cpu
