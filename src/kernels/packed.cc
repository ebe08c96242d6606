#include "kernels/packed.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/packed_block.h"
#include "kernels/packed_row.h"
#include "tensor/float_bits.h"

namespace herd {
namespace {

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Bits [shift, shift + count) of a byte or a longer number, read and written.
unsigned bits_of(std::uint32_t word, int shift, int count) {
  return (word >> shift) & ((1u << count) - 1);
}
template <class Word>
void put_bits(Word& word, int shift, unsigned value) {
  word = static_cast<Word>(word | value << shift);
}

// The bytes of an output in a plane's vector.
std::uint8_t* bytes_of_output(std::uint8_t* vector, int output) { return vector + output * 4; }

// A plane of which each byte holds `count` bits, from bit `low` of the code, of each of 8 / count vectors that are
// `apart` vectors away from each other.
template <int count, int low, int apart, std::size_t vectors>
void put_plane(std::uint8_t (&plane)[vectors][64], int output, const std::uint8_t* code) {
  constexpr int shared = 8 / count;
  for (int v = 0; v < static_cast<int>(vectors); ++v) {
    const int first = (v / apart * apart * shared + v % apart) * 4;
    std::uint8_t* to = bytes_of_output(plane[v], output);
    for (int j = 0; j < 4; ++j) {
      unsigned byte = 0;
      for (int i = 0; i < shared; ++i)
        byte |= (unsigned{code[first + i * apart * 4 + j]} >> low & ((1u << count) - 1))
                << i * count;
      to[j] = static_cast<std::uint8_t>(byte);
    }
  }
}

template <class Codes>
void put_codes(Codes& codes, int output, const QuantizedRow& row) {
  if constexpr (Codes::bits == 8)
    for (int n = 0; n < packed_vectors; ++n)
      std::memcpy(bytes_of_output(codes.bytes[n], output), row.code + 4 * n, 4);
  if constexpr (Codes::bits >= 4 && Codes::bits <= 6)
    put_plane<4, 0, 8>(codes.nibbles, output, row.code);
  if constexpr (Codes::bits == 2 || Codes::bits == 3)
    put_plane<2, 0, 1>(codes.pairs, output, row.code);
  if constexpr (Codes::bits == 5) put_plane<1, 4, 1>(codes.fifth, output, row.code);
  if constexpr (Codes::bits == 6) put_plane<2, 4, 1>(codes.pairs, output, row.code);
  if constexpr (Codes::bits == 3) put_plane<1, 2, 1>(codes.third, output, row.code);
}

// The code of one input, from wherever its bits lie.
template <class Codes>
std::uint8_t code_at(const Codes& codes, int output, int k) {
  const int n = k / 4, b = output * 4 + k % 4;
  unsigned code = 0;
  if constexpr (Codes::bits == 8) code = codes.bytes[n][b];
  if constexpr (Codes::bits >= 4 && Codes::bits <= 6)
    code = bits_of(codes.nibbles[n / 16 * 8 + n % 8][b], 4 * (n / 8 % 2), 4);
  if constexpr (Codes::bits == 2 || Codes::bits == 3)
    code = bits_of(codes.pairs[n / 4][b], 2 * (n % 4), 2);
  if constexpr (Codes::bits == 5) code |= bits_of(codes.fifth[n / 8][b], n % 8, 1) << 4;
  if constexpr (Codes::bits == 6) code |= bits_of(codes.pairs[n / 4][b], 2 * (n % 4), 2) << 4;
  if constexpr (Codes::bits == 3) code |= bits_of(codes.third[n / 8][b], n % 8, 1) << 2;
  return static_cast<std::uint8_t>(code);
}

template <class Codes>
void get_codes(const Codes& codes, int output, QuantizedRow& row) {
  for (int k = 0; k < packed_inputs; ++k) row.code[k] = code_at(codes, output, k);
}

// Scales: `put` and `get` are one function, so that they cannot disagree. `Exchange` copies one way or the other.
struct Put {
  template <class A, class B>
  static void whole(A& packed, const B& value) {
    packed = static_cast<A>(value);
  }
  // Bits [low, low + count) of `value` are bits [shift, shift + count) of the word.
  template <class Word, class B>
  static void part(Word& word, int shift, int count, const B& value, int low) {
    put_bits(word, shift, (static_cast<unsigned>(value) >> low) & ((1u << count) - 1));
  }
};
struct Get {
  template <class A, class B>
  static void whole(const A& packed, B& value) {
    value = static_cast<B>(packed);
  }
  template <class Word, class B>
  static void part(const Word& word, int shift, int count, B& value, int low) {
    const unsigned kept = low == 0 ? 0 : static_cast<unsigned>(value);
    value = static_cast<B>(kept | bits_of(word, shift, count) << low);
  }
};

template <class Exchange, class Scales, class Row>
void exchange_scales(Scales& s, int o, Row& row) {
  using Plain = std::remove_const_t<Scales>;
  if constexpr (requires { s.dmin; }) Exchange::whole(s.dmin[o], row.dmin);
  if constexpr (std::is_same_v<Plain, HalfScales> || std::is_same_v<Plain, HalfScalesMins>) {
    for (int g = 0; g < 8; ++g) Exchange::whole(s.d[g][o], row.half_scale[g]);
    if constexpr (std::is_same_v<Plain, HalfScalesMins>)
      for (int g = 0; g < 8; ++g) Exchange::whole(s.m[g][o], row.half_min[g]);
  } else if constexpr (std::is_same_v<Plain, ExponentScales>) {
    for (int g = 0; g < 8; ++g) Exchange::whole(s.e[g][o], row.half_scale[g]);
  } else if constexpr (std::is_same_v<Plain, RowScales>) {
    Exchange::whole(s.d[o], row.d32[0]);
  } else if constexpr (std::is_same_v<Plain, GroupScales>) {
    for (int g = 0; g < 2; ++g) Exchange::whole(s.d[g][o], row.d32[g]);
  } else {
    Exchange::whole(s.d[o], row.d);
  }
  if constexpr (std::is_same_v<Plain, SixBitScalesMins>)
    for (int g = 0; g < 8; ++g) {
      Exchange::part(s.low[g][o], 0, 4, row.scale[g], 0);
      Exchange::part(s.low[g][o], 4, 4, row.min[g], 0);
      Exchange::part(s.scale_high[g / 4][o], 2 * (g % 4), 2, row.scale[g], 4);
      Exchange::part(s.min_high[g / 4][o], 2 * (g % 4), 2, row.min[g], 4);
    }
  if constexpr (std::is_same_v<Plain, ByteScales>)
    for (int g = 0; g < 16; ++g) Exchange::whole(s.scale[g][o], row.scale[g]);
  if constexpr (std::is_same_v<Plain, NibbleScalesMins>)
    for (int g = 0; g < 16; ++g) {
      Exchange::part(s.both[g][o], 0, 4, row.scale[g], 0);
      Exchange::part(s.both[g][o], 4, 4, row.min[g], 0);
    }
  if constexpr (std::is_same_v<Plain, SixBitScales16> || std::is_same_v<Plain, SixBitScales32>)
    for (int g = 0; g < (std::is_same_v<Plain, SixBitScales16> ? 16 : 8); ++g) {
      Exchange::part(s.low[g / 2][o], 4 * (g % 2), 4, row.scale[g], 0);
      Exchange::part(s.high[g / 4][o], 2 * (g % 4), 2, row.scale[g], 4);
    }
}

// Blocks with grids, both ways.
template <class Exchange, class Block, class Row>
void exchange_grid(Block& block, int o, Row& row) {
  auto& s = block.scales;
  Exchange::whole(s.d[o], row.d);
  constexpr int indices = packed_inputs / Block::Codes::per_index;
  for (int k = 0; k < indices; ++k) Exchange::part(block.codes.low[k][o], 0, 8, row.index[k], 0);
  constexpr DType type = Block::dtype;
  if constexpr (type == DType::iq2_xxs || type == DType::iq3_xxs)
    for (int g = 0; g < 8; ++g) {
      for (int k = 0; k < 4; ++k) Exchange::part(s.word[g][o], 7 * k, 7, row.sign[4 * g + k], 0);
      Exchange::part(s.word[g][o], 28, 4, row.scale[g], 0);
    }
  if constexpr (type == DType::iq2_xs)
    for (int k = 0; k < 32; ++k) {
      Exchange::part(s.rest[k][o], 0, 1, row.index[k], 8);
      Exchange::part(s.rest[k][o], 1, 7, row.sign[k], 0);
    }
  if constexpr (requires { s.signs; })
    for (int k = 0; k < 32; ++k) Exchange::whole(s.signs[k][o], row.sign[k]);
  if constexpr (type == DType::iq2_s)
    for (int k = 0; k < 32; ++k) Exchange::part(s.high[k / 4][o], k % 4 * 2, 2, row.index[k], 8);
  if constexpr (type == DType::iq3_s)
    for (int k = 0; k < 64; ++k) Exchange::part(s.high[k / 8][o], k % 8, 1, row.index[k], 8);
  if constexpr (requires { s.scale; })
    for (int g = 0; g < 2 * static_cast<int>(std::size(s.scale)); ++g)
      Exchange::part(s.scale[g / 2][o], 4 * (g % 2), 4, row.scale[g], 0);
  if constexpr (type == DType::iq1_s)
    for (int g = 0; g < 8; ++g) {
      for (int k = 0; k < 4; ++k) Exchange::part(s.word[g][o], 3 * k, 3, row.index[4 * g + k], 8);
      Exchange::part(s.word[g][o], 12, 3, row.scale[g], 0);
      // One shift for all four.
      for (int k = 0; k < 4; ++k) Exchange::part(s.word[g][o], 15, 1, row.sign[4 * g + k], 0);
    }
  if constexpr (type == DType::iq1_m) {
    for (int k = 0; k < 32; ++k) {
      Exchange::part(s.high[k / 2][o], k % 2 * 4, 3, row.index[k], 8);
      Exchange::part(s.high[k / 2][o], k % 2 * 4 + 3, 1, row.sign[k], 0);
    }
    for (int g = 0; g < 16; ++g)
      for (int bit = 0; bit < 3; ++bit)
        Exchange::part(s.scale_bits[bit][o], g, 1, row.scale[g], bit);
  }
}

template <class Exchange, class Block, class Row>
void exchange(Block& block, int o, Row& row) {
  if constexpr (has_grid<Block>) {
    exchange_grid<Exchange>(block, o, row);
  } else {
    if constexpr (std::is_same_v<Exchange, Put>)
      put_codes(block.codes, o, row);
    else
      get_codes(block.codes, o, row);
    exchange_scales<Exchange>(block.scales, o, row);
  }
}

template <class Block>
void pack_blocks(const Matrix& from, std::int64_t begin, std::int64_t end, void* to) {
  constexpr const DTypeRow& format = row_of(Block::dtype);
  const std::int64_t blocks = divide_up(from.in, packed_inputs);
  const std::int64_t row_bytes = bytes_of(Block::dtype, from.in);
  const std::int64_t bytes_here = bytes_of(Block::dtype, packed_inputs);
  auto* block = static_cast<Block*>(to) + begin * blocks;
  for (std::int64_t rows = begin; rows < end; ++rows)
    for (std::int64_t b = 0; b < blocks; ++b, ++block) {
      *block = Block{};
      const std::int64_t inputs =
          std::min<std::int64_t>(from.in - b * packed_inputs, packed_inputs);
      for (int o = 0; o < packed_outs && rows * packed_outs + o < from.out; ++o) {
        const auto* source = static_cast<const std::uint8_t*>(from.data) +
                             (rows * packed_outs + o) * row_bytes + b * bytes_here;
        QuantizedRow row{};
        read_quantized_row(Block::dtype, source, inputs / static_cast<std::int64_t>(format.block),
                           row);
        exchange<Put>(*block, o, row);
      }
    }
}

template <class Block>
void unpack_blocks(const Matrix& packed, std::int64_t output, float* to) {
  const std::int64_t blocks = divide_up(packed.in, packed_inputs);
  const auto* block = static_cast<const Block*>(packed.data) + output / packed_outs * blocks;
  const int o = static_cast<int>(output % packed_outs);
  for (std::int64_t b = 0; b < blocks; ++b, ++block) {
    QuantizedRow row{};
    exchange<Get>(*block, o, row);
    float decoded[packed_inputs];
    decode_quantized_row(Block::dtype, row, decoded);
    const std::int64_t inputs =
        std::min<std::int64_t>(packed.in - b * packed_inputs, packed_inputs);
    std::copy(decoded, decoded + inputs, to + b * packed_inputs);
  }
}

template <class Block>
void unpack_rows(const Matrix& packed, std::int64_t begin, std::int64_t end, std::uint8_t* to) {
  constexpr auto block_numbers = static_cast<std::int64_t>(row_of(Block::dtype).block);
  const std::int64_t blocks = divide_up(packed.in, packed_inputs);
  const std::int64_t bytes_here = bytes_of(Block::dtype, packed_inputs);
  for (std::int64_t output = begin; output < end; ++output) {
    const auto* block = static_cast<const Block*>(packed.data) + output / packed_outs * blocks;
    const int o = static_cast<int>(output % packed_outs);
    for (std::int64_t b = 0; b < blocks; ++b, ++block) {
      QuantizedRow row{};
      exchange<Get>(*block, o, row);
      const std::int64_t inputs =
          std::min<std::int64_t>(packed.in - b * packed_inputs, packed_inputs);
      write_quantized_row(Block::dtype, row, inputs / block_numbers, to + b * bytes_here);
    }
    to += bytes_of(Block::dtype, packed.in);
  }
}

}  // namespace

bool can_pack(DType dtype) { return packed_block_bytes(dtype) > 0; }

std::int64_t packed_bytes(DType dtype, std::int64_t out, std::int64_t in) {
  std::int64_t bytes = 0;
  with_packed_block(dtype, [&]<class Block>(const Block*) {
    bytes = divide_up(out, packed_outs) * divide_up(in, packed_inputs) *
            static_cast<std::int64_t>(sizeof(Block));
  });
  return bytes;
}

Matrix packed_matrix(DType dtype, std::int64_t out, std::int64_t in, const void* data) {
  return {.data = data, .dtype = dtype, .layout = Layout::packed, .out = out, .in = in};
}

void pack(const Matrix& from, std::int64_t begin, std::int64_t end, void* to) {
  HERD_CHECK(from.layout == Layout::out_in && from.stride == from.in, "rows {} apart for in {}",
             from.stride, from.in);
  HERD_CHECK(begin >= 0 && end <= divide_up(from.out, packed_outs), "rows {} to {} of {}", begin,
             end, divide_up(from.out, packed_outs));
  HERD_CHECK(from.in % static_cast<std::int64_t>(row_of(from.dtype).block) == 0,
             "{} inputs in blocks of {}", from.in, row_of(from.dtype).block);
  const bool known = with_packed_block(from.dtype, [&]<class Block>(const Block*) {
    static_assert(sizeof(Block) * row_of(Block::dtype).block <=
                      packed_outs * packed_inputs * row_of(Block::dtype).bytes,
                  "no packed format is larger than its file's");
    static_assert(sizeof(Block) == packed_block_bytes(Block::dtype));
    pack_blocks<Block>(from, begin, end, to);
  });
  HERD_CHECK(known, "{} cannot be packed", row_of(from.dtype).name);
}

void unpack(const Matrix& packed, std::int64_t begin, std::int64_t end, void* to) {
  HERD_CHECK(packed.layout == Layout::packed && begin >= 0 && end <= packed.out,
             "outputs {} to {} of {}", begin, end, packed.out);
  const bool known = with_packed_block(packed.dtype, [&]<class Block>(const Block*) {
    unpack_rows<Block>(packed, begin, end, static_cast<std::uint8_t*>(to));
  });
  HERD_CHECK(known, "{} is not packed", row_of(packed.dtype).name);
}

void unpack_output(const Matrix& packed, std::int64_t output, float* to) {
  HERD_CHECK(packed.layout == Layout::packed && output >= 0 && output < packed.out,
             "output {} of {}", output, packed.out);
  const bool known = with_packed_block(
      packed.dtype, [&]<class Block>(const Block*) { unpack_blocks<Block>(packed, output, to); });
  HERD_CHECK(known, "{} is not packed", row_of(packed.dtype).name);
}

}  // namespace herd
