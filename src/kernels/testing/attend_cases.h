// Random attention: one or two sequences' caches and query rows on them, and what is written into such caches.
#pragma once

#include <fmt/format.h>

#include <numeric>

#include "kernels/kv_block.h"
#include "kernels/testing/cases.h"

namespace herd::test {

// What keys and values can be kept in, with heads of d for it.
inline DType random_kv_type(Draw& draw) {
  constexpr std::array types{DType::f32, DType::bf16, DType::q8_0, DType::q4_0};
  return types[static_cast<std::size_t>(draw.between(0, 3))];
}
inline std::int64_t random_head_size(Draw& draw, DType dtype) {
  if (is_quantized(dtype)) return kv_group * draw.between(1, 4);
  return draw.one_in(4) ? draw.between(1, 140) : 8 * draw.between(1, 17);
}

struct AttendSizes {
  DType dtype;
  std::int64_t T, G, heads, d, blocks;

  explicit AttendSizes(Draw& draw)
      : dtype(random_kv_type(draw)),
        T(draw.between(1, 40)),
        G(draw.between(1, 3)),
        heads(draw.between(1, 6)),
        d(random_head_size(draw, dtype)),
        blocks(draw.between(1, 4)) {}
  [[nodiscard]] std::int64_t width() const { return G * heads * d; }
};

class AttendCase final : public KernelCase {
 public:
  explicit AttendCase(Draw& draw) : sizes_(draw), offset_(draw.between(0, 15)) {
    const std::int64_t block = sizes_.G * keys_per_block * sizes_.d;
    const std::int64_t all = 4 * sizes_.blocks * block;  // keys and values of two sequences
    wide_ = Input<float>::floats(draw, all);
    // In units of the narrowest type's alignment.
    const std::int64_t units = bytes_of(sizes_.dtype, block) / 2;
    narrow_ = Input<std::uint16_t>(draw, 4 * sizes_.blocks * units, [] { return 0; });
    std::int64_t wide = 0, narrow = 0;
    for (auto& sequence : tables_)
      for (auto& table : sequence)
        for (std::int64_t b = 0; b < sizes_.blocks; ++b, wide += block, narrow += units) {
          const KvPart part = &table == &sequence[0] ? KvPart::keys : KvPart::values;
          if (sizes_.dtype == DType::f32) {
            table.push_back(wide_.data() + wide);
          } else {
            fill(part, wide_.data() + wide, narrow_.data() + narrow);
            table.push_back(narrow_.data() + narrow);
          }
        }
    const bool two = draw.one_in(2);
    for (std::int64_t t = 0; t < sizes_.T; ++t) {
      const auto& sequence = tables_[two && draw.one_in(2) ? 1 : 0];
      const std::int64_t count = draw.between(1, sizes_.blocks * keys_per_block);
      const std::int64_t first = draw.one_in(3) ? draw.between(0, count - 1) : 0;
      rows_.push_back({sequence[0].data(), sequence[1].data(), first, count});
    }
    q_stride_ = sizes_.width() + (draw.one_in(2) ? 0 : draw.between(1, 40));
    o_stride_ = sizes_.width() + (draw.one_in(2) ? 0 : draw.between(1, 40));
    q_ = Input<float>::floats(draw, sizes_.T * q_stride_);
  }
  AttendCase(const AttendCase&) = delete;  // rows point into tables
  AttendCase& operator=(const AttendCase&) = delete;

  std::vector<float> run(const KernelTable& table, const Lane& lane) override {
    return run_rows(table, lane, 0, sizes_.T);
  }

  // Rows [begin, end) alone.
  std::vector<float> run_rows(const KernelTable& table, const Lane& lane, std::int64_t begin,
                              std::int64_t end) const {
    Output o(offset_, (end - begin) * o_stride_);
    table.attend({.q = q_.data() + begin * q_stride_,
                  .o = o.data(),
                  .rows = rows_.data() + begin,
                  .kv_dtype = sizes_.dtype,
                  .T = end - begin,
                  .N = sizes_.G * sizes_.heads,
                  .G = sizes_.G,
                  .d = sizes_.d,
                  .q_stride = q_stride_,
                  .o_stride = o_stride_,
                  .scale = scale},
                 lane);
    return std::move(o).all();
  }

  // A score is a sum of d products up to 4, times scale: in float32 it is off by d + 2 roundings of their magnitudes at
  // most, and in practice, and in this bound, by two; that moves a weight by the same share, and a weighted mean of
  // values up to 2 by twice as much.
  std::vector<double> tolerance(const std::vector<float>& reference) override {
    const double score = 4 * double{scale} * static_cast<double>(sizes_.d);
    return std::vector<double>(reference.size(), 2 * score * 2 * 2 * eps + 1e-6);
  }

  std::string text() const override {
    return fmt::format("T {} G {} heads {} d {} blocks {} {} strides {} {}", sizes_.T, sizes_.G,
                       sizes_.heads, sizes_.d, sizes_.blocks, row_of(sizes_.dtype).name, q_stride_,
                       o_stride_);
  }
  [[nodiscard]] const AttendSizes& sizes() const { return sizes_; }
  [[nodiscard]] std::int64_t o_stride() const { return o_stride_; }
  [[nodiscard]] std::int64_t offset() const { return offset_; }

 private:
  // A block of 64 rows [64, G, d], as a cache keeps them.
  void fill(KvPart part, const float* x, void* block) const {
    const std::vector<void*> blocks(keys_per_block, block);
    std::vector<std::int32_t> within(keys_per_block);
    std::iota(within.begin(), within.end(), 0);
    ref_kernels().store_kv({.part = part,
                            .x = x,
                            .block = blocks.data(),
                            .within = within.data(),
                            .dtype = sizes_.dtype,
                            .T = keys_per_block,
                            .G = sizes_.G,
                            .d = sizes_.d,
                            .x_stride = sizes_.G * sizes_.d},
                           {});
  }

  static constexpr float scale = 0.3f;

  AttendSizes sizes_;
  std::int64_t offset_, q_stride_ = 0, o_stride_ = 0;
  Input<float> wide_;
  Input<std::uint16_t> narrow_;
  std::vector<const void*> tables_[2][2];
  std::vector<AttendRow> rows_;
  Input<float> q_;
};

inline std::unique_ptr<KernelCase> random_attend(Draw& draw) {
  return std::make_unique<AttendCase>(draw);
}

// Every row has a place of its own in one of three blocks; what is between them must stay.
inline std::unique_ptr<KernelCase> random_store_kv(Draw& draw) {
  constexpr std::int64_t blocks = 3, bytes_guard = 64;
  const std::int64_t T = draw.one_in(10) ? draw.between(100, 180) : draw.between(0, 30);
  const DType dtype = random_kv_type(draw);
  const std::int64_t G = draw.between(1, 4);
  const std::int64_t d = is_quantized(dtype) ? kv_group * draw.between(1, 4) : draw.between(1, 140);
  const std::int64_t x_stride = G * d + (draw.one_in(2) ? 0 : draw.between(1, 40));
  const KvPart part = draw.one_in(2) ? KvPart::keys : KvPart::values;
  const std::int64_t bytes = is_quantized(dtype) ? 2 : bytes_of(dtype, 1);  // alignment
  const Input<float> x(draw, T * x_stride, [&] {
    // Some that have no exact neighbour, some ties of the rounding, some not finite.
    if (is_quantized(dtype)) return draw.wide_number(60000);
    if (draw.one_in(40)) return draw.one_in(2) ? -INFINITY : std::bit_cast<float>(0x7f800001u);
    const auto bits = std::bit_cast<std::uint32_t>(draw.wide_number(3e38));
    return std::bit_cast<float>(draw.one_in(4) ? (bits & 0xffff0000u) | 0x8000u : bits);
  });
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < blocks * keys_per_block; ++i) places.push_back(i);
  for (std::int64_t t = 0; t < T; ++t)
    std::swap(places[static_cast<std::size_t>(t)],
              places[static_cast<std::size_t>(draw.between(t, blocks * keys_per_block - 1))]);
  const std::int64_t offset = bytes_guard + bytes * draw.between(0, 15);
  const std::int64_t block_bytes = bytes_of(dtype, G * keys_per_block * d);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    std::vector<std::uint8_t> memory(
        static_cast<std::size_t>(offset + blocks * block_bytes + bytes_guard), 0xcd);
    std::vector<void*> block;
    std::vector<std::int32_t> within;
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t place = places[static_cast<std::size_t>(t)];
      block.push_back(memory.data() + offset + place / keys_per_block * block_bytes);
      within.push_back(static_cast<std::int32_t>(place % keys_per_block));
    }
    table.store_kv({.part = part,
                    .x = x.data(),
                    .block = block.data(),
                    .within = within.data(),
                    .dtype = dtype,
                    .T = T,
                    .G = G,
                    .d = d,
                    .x_stride = x_stride},
                   lane);
    return std::vector<float>(memory.begin(), memory.end());  // each byte a number
  };
  return std::make_unique<FunctionCase>(fmt::format("{} T {} G {} d {} x_stride {} {} offset {}",
                                                    part == KvPart::keys ? "keys" : "values", T, G,
                                                    d, x_stride, row_of(dtype).name, offset),
                                        run, equal_bits());
}

}  // namespace herd::test
