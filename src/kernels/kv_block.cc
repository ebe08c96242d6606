#include "kernels/kv_block.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "quant/encode.h"
#include "tensor/float_bits.h"

namespace herd {
namespace {

// Where a head's codes and scales of one row lie: its bytes of group i are at first + i * group, `step` apart, and the
// group's scale is the number scale + i * scale_step.
struct Place {
  std::int64_t bytes;  // of codes in a group
  std::int64_t first, group, step;
  std::int64_t scale, scale_step;

  Place(KvPart part, DType dtype, std::int64_t within, std::int64_t d)
      : bytes(dtype == DType::q8_0 ? kv_group : kv_group / 2) {
    const std::int64_t groups = d / kv_group;
    if (part == KvPart::keys) {
      first = within;
      group = bytes * keys_per_block;
      step = keys_per_block;
      scale = within;
      scale_step = keys_per_block;
    } else {
      first = within * groups * bytes;
      group = bytes;
      step = 1;
      scale = within * groups;
      scale_step = 1;
    }
  }
};

std::int64_t code_bytes(DType dtype, std::int64_t d) {
  return keys_per_block * (dtype == DType::q8_0 ? d : d / 2);
}

std::int64_t head_bytes(DType dtype, std::int64_t d) { return bytes_of(dtype, keys_per_block * d); }

}  // namespace

bool can_keep_kv(DType dtype, std::int64_t d) {
  if (dtype == DType::q8_0 || dtype == DType::q4_0) return d % kv_group == 0;
  return dtype == DType::f32 || dtype == DType::bf16;
}

void rotate(float* x, std::int64_t d) {
  const std::int64_t whole = d & -d;
  for (float* end = x + d; x < end; x += whole) {
    for (std::int64_t half = 1; half < whole; half *= 2)
      for (std::int64_t i = 0; i < whole; i += 2 * half)
        for (std::int64_t j = i; j < i + half; ++j) {
          const float a = x[j], b = x[j + half];
          x[j] = a + b;
          x[j + half] = a - b;
        }
    const float shrink = 1.0f / std::sqrt(static_cast<float>(whole));
    for (std::int64_t i = 0; i < whole; ++i) x[i] *= shrink;
  }
}

KvCodes kv_codes(const void* block, DType dtype, std::int64_t g, std::int64_t d) {
  const auto* codes = static_cast<const std::uint8_t*>(block) + g * head_bytes(dtype, d);
  return {codes, static_cast<const std::uint16_t*>(
                     static_cast<const void*>(codes + code_bytes(dtype, d)))};
}

void store_kv_codes(const StoreKvArgs& args, std::span<float> row) {
  HERD_CHECK(can_keep_kv(args.dtype, args.d), "keys and values of {} in {}", args.d,
             row_of(args.dtype).name);
  // Scale and codes of one group, as GGUF has them.
  std::array<std::uint8_t, sizeof(std::uint16_t) + kv_group> encoded;
  for (std::int64_t t = 0; t < args.T; ++t) {
    const Place place(args.part, args.dtype, args.within[t], args.d);
    for (std::int64_t g = 0; g < args.G; ++g) {
      const float* x = args.x + t * args.x_stride + g * args.d;
      std::copy(x, x + args.d, row.begin());
      rotate(row.data(), args.d);
      auto* codes = static_cast<std::uint8_t*>(args.block[t]) + g * head_bytes(args.dtype, args.d);
      auto* scales = codes + code_bytes(args.dtype, args.d);
      for (std::int64_t i = 0; i < args.d / kv_group; ++i) {
        quant::encode_row(args.dtype, row.data() + i * kv_group, kv_group, encoded.data());
        std::memcpy(scales + (place.scale + i * place.scale_step) *
                                 static_cast<std::int64_t>(sizeof(std::uint16_t)),
                    encoded.data(), sizeof(std::uint16_t));
        std::uint8_t* to = codes + place.first + i * place.group;
        for (std::int64_t j = 0; j < place.bytes; ++j)
          to[j * place.step] = encoded[sizeof(std::uint16_t) + static_cast<std::size_t>(j)];
      }
    }
  }
}

void read_kv_codes(KvPart part, DType dtype, const void* block, std::int64_t within, std::int64_t g,
                   std::int64_t d, float* to) {
  const Place place(part, dtype, within, d);
  const KvCodes from = kv_codes(block, dtype, g, d);
  for (std::int64_t i = 0; i < d / kv_group; ++i, to += kv_group) {
    const float scale = f32_of_f16(from.scales[place.scale + i * place.scale_step]);
    const std::uint8_t* codes = from.codes + place.first + i * place.group;
    for (std::int64_t j = 0; j < place.bytes; ++j) {
      const int code = codes[j * place.step];
      if (dtype == DType::q8_0) {
        to[j] = scale * static_cast<float>(static_cast<std::int8_t>(code));
      } else {
        to[j] = scale * static_cast<float>((code & 15) - 8);
        to[j + kv_group / 2] = scale * static_cast<float>((code >> 4) - 8);
      }
    }
  }
}

}  // namespace herd
