#include "checkpoint/finite_scan.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <vector>

#include "quant/formats.h"

namespace herd::checkpoint {
namespace {

constexpr std::int64_t piece_bytes = 1 << 20;

// Numbers of `Bits` whose exponent is all ones: with a fraction NaN, without infinity. The sums are of the numbers' own
// width and emptied before they overflow, so that the loop becomes vector instructions.
template <typename Bits>
NonFinite count(const std::byte* data, std::size_t numbers, Bits infinity) {
  constexpr auto magnitude_mask = static_cast<Bits>(std::numeric_limits<Bits>::max() >> 1);
  constexpr std::size_t run = 200;
  NonFinite out;
  for (std::size_t at = 0; at < numbers; at += run) {
    Bits nan = 0, infinite = 0;
    const std::size_t end = std::min(at + run, numbers);
    for (std::size_t i = at; i < end; ++i) {
      Bits bits;
      std::memcpy(&bits, data + i * sizeof(Bits), sizeof(Bits));
      const auto magnitude = static_cast<Bits>(bits & magnitude_mask);
      nan = static_cast<Bits>(nan + (magnitude > infinity ? 1 : 0));
      infinite = static_cast<Bits>(infinite + (magnitude == infinity ? 1 : 0));
    }
    out.nan += nan;
    out.infinite += infinite;
  }
  return out;
}

NonFinite count_piece(const std::byte* data, std::size_t bytes, DType dtype) {
  const std::size_t numbers = bytes / row_of(dtype).bytes;
  switch (dtype) {
    case DType::f64:
      return count<std::uint64_t>(data, numbers, 0x7ff0'0000'0000'0000u);
    case DType::f32:
      return count<std::uint32_t>(data, numbers, 0x7f80'0000u);
    case DType::bf16:
      return count<std::uint16_t>(data, numbers, 0x7f80u);
    case DType::f16:
      return count<std::uint16_t>(data, numbers, 0x7c00u);
    case DType::f8_e4m3: {
      // No infinity: 0x7e is 448, the largest number, and 0x7f is NaN.
      NonFinite out = count<std::uint8_t>(data, numbers, 0x7eu);
      out.infinite = 0;
      return out;
    }
    default:  // integers
      return {};
  }
}

// A block's scales may be NaN, or so large that its numbers are infinite.
NonFinite count_blocks(const std::byte* data, std::int64_t blocks, DType dtype) {
  const DTypeRow& row = row_of(dtype);
  std::vector<float> numbers(row.block);
  NonFinite out;
  for (std::int64_t i = 0; i < blocks; ++i, data += row.bytes) {
    quant::decode_row(dtype, data, numbers.data(), static_cast<std::int64_t>(row.block));
    const NonFinite found =
        count<std::uint32_t>(std::as_bytes(std::span(numbers)).data(), row.block, 0x7f80'0000u);
    out.nan += found.nan;
    out.infinite += found.infinite;
  }
  return out;
}

}  // namespace

NonFinite count_non_finite(std::span<const std::byte> numbers, DType dtype, ThreadPool& pool,
                           const std::function<void(std::uint64_t)>& scanned) {
  std::atomic<std::uint64_t> nan{0}, infinite{0};
  const auto bytes = static_cast<std::int64_t>(numbers.size());
  if (is_quantized(dtype)) {
    const auto block = static_cast<std::int64_t>(row_of(dtype).bytes);
    pool.run(bytes / block, piece_bytes / block, [&](std::int64_t begin, std::int64_t end, int) {
      const NonFinite found = count_blocks(numbers.data() + begin * block, end - begin, dtype);
      nan += found.nan;
      infinite += found.infinite;
      if (scanned) scanned(static_cast<std::uint64_t>((end - begin) * block));
    });
    return {nan, infinite};
  }
  pool.run(bytes, piece_bytes, [&](std::int64_t begin, std::int64_t end, int) {
    const auto size = static_cast<std::size_t>(end - begin);
    const NonFinite found = count_piece(numbers.data() + begin, size, dtype);
    nan += found.nan;
    infinite += found.infinite;
    if (scanned) scanned(size);
  });
  return {nan, infinite};
}

}  // namespace herd::checkpoint
