// Random arguments for the kernels that treat rows.
#pragma once

#include <fmt/format.h>

#include "kernels/testing/cases.h"

namespace herd::test {

struct RowSizes {
  std::int64_t T, D, offset;
  bool in_place;

  // Mostly rows of a few vectors, sometimes long ones, or enough of them for several threads.
  explicit RowSizes(Draw& draw) : RowSizes(draw, draw.one_in(20)) {}
  [[nodiscard]] std::string text() const {
    return fmt::format("T {} D {} offset {}{}", T, D, offset, in_place ? " in place" : "");
  }

 private:
  RowSizes(Draw& draw, bool large)
      : T(large ? draw.between(100, 200) : draw.between(0, 12)),
        D(large || draw.one_in(8) ? draw.between(200, 900) : draw.between(1, 90)),
        offset(draw.between(0, 15)),
        in_place(draw.one_in(2)) {}
};

// Rows of which one has little but its mean, and one in 30 is zero.
inline Input<float> random_rows(Draw& draw, std::int64_t T, std::int64_t D) {
  float shift = 0, scale = 1;
  std::int64_t i = 0;
  return Input<float>(draw, T * D, [&, D] {
    if (i++ % D == 0) {
      shift = draw.one_in(4) ? 100 * draw.number() : draw.number();
      scale = draw.one_in(30) ? 0.0f : draw.wide_number(50);
    }
    return scale * (draw.number() + shift);
  });
}

// Both norms are computed in float64 and rounded once, as the reference: a tie may fall to the other side.
inline std::unique_ptr<KernelCase> random_rms_norm(Draw& draw) {
  const RowSizes sizes(draw);
  const Input<float> x = random_rows(draw, sizes.T, sizes.D);
  const bool weighted = draw.one_in(2);
  const auto weight = Input<float>::floats(draw, sizes.D);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output y = sizes.in_place ? Output(sizes.offset, x) : Output(sizes.offset, sizes.T * sizes.D);
    table.rms_norm({.x = sizes.in_place ? y.data() : x.data(),
                    .weight = weighted ? weight.data() : nullptr,
                    .y = y.data(),
                    .T = sizes.T,
                    .D = sizes.D,
                    .eps = 1e-5f},
                   lane);
    return std::move(y).all();
  };
  return std::make_unique<FunctionCase>(sizes.text() + (weighted ? " weighted" : ""), run,
                                        roundings_of_result(2, 0x1p-149));
}

// The floor is float64's own rounding, where product and bias cancel, or a row's numbers differ only by their roundings
// and eps alone keeps the scale finite: 316 times the rounding of a mean of 20,000.
inline std::unique_ptr<KernelCase> random_layer_norm(Draw& draw) {
  const RowSizes sizes(draw);
  const Input<float> x = random_rows(draw, sizes.T, sizes.D);
  const auto weight = Input<float>::floats(draw, sizes.D),
             bias = Input<float>::floats(draw, sizes.D);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output y = sizes.in_place ? Output(sizes.offset, x) : Output(sizes.offset, sizes.T * sizes.D);
    table.layer_norm({.x = sizes.in_place ? y.data() : x.data(),
                      .weight = weight.data(),
                      .bias = bias.data(),
                      .y = y.data(),
                      .T = sizes.T,
                      .D = sizes.D,
                      .eps = 1e-5f},
                     lane);
    return std::move(y).all();
  };
  return std::make_unique<FunctionCase>(sizes.text(), run,
                                        roundings_of_result(2, 316 * 20'000 * 0x1p-51));
}

// Each result is a difference of two products: three roundings of their magnitudes.
inline std::unique_ptr<KernelCase> random_rope(Draw& draw) {
  const std::int64_t T = draw.one_in(20) ? draw.between(60, 100) : draw.between(0, 9);
  const std::int64_t N = draw.between(1, 10), d = 2 * draw.between(1, 70);
  const std::int64_t x_stride = N * d + (draw.one_in(2) ? 0 : draw.between(1, 40));
  const bool in_place = draw.one_in(2);
  const std::int64_t y_stride =
      in_place ? x_stride : N * d + (draw.one_in(2) ? 0 : draw.between(1, 40));
  const std::int64_t offset = draw.between(0, 15);
  const auto x = Input<float>::floats(draw, T * x_stride);
  const auto cos = Input<float>::floats(draw, T * d / 2),
             sin = Input<float>::floats(draw, T * d / 2);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output y = in_place ? Output(offset, x) : Output(offset, T * y_stride);
    table.rope({.x = in_place ? y.data() : x.data(),
                .cos = cos.data(),
                .sin = sin.data(),
                .y = y.data(),
                .T = T,
                .N = N,
                .d = d,
                .x_stride = x_stride,
                .y_stride = y_stride},
               lane);
    return std::move(y).all();
  };
  const auto tolerance = [=](const std::vector<float>& reference) {
    std::vector<double> bound(reference.size(), 0.0);
    for (std::int64_t t = 0; t < T; ++t)
      for (std::int64_t i = 0; i < N * d; ++i) {
        const std::int64_t angle = t * d / 2 + i % d / 2;
        const double c = std::fabs(double{cos.data()[angle]}),
                     s = std::fabs(double{sin.data()[angle]});
        const double own = std::fabs(double{x.data()[t * x_stride + i]});
        const double other = std::fabs(double{x.data()[t * x_stride + (i ^ 1)]});
        bound[static_cast<std::size_t>(Output::guard + offset + t * y_stride + i)] =
            3 * eps * (own * c + other * s);
      }
    return bound;
  };
  return std::make_unique<FunctionCase>(
      fmt::format("T {} N {} d {} x_stride {} y_stride {} offset {}{}", T, N, d, x_stride, y_stride,
                  offset, in_place ? " in place" : ""),
      run, tolerance);
}

inline std::unique_ptr<KernelCase> random_scale_rows(Draw& draw) {
  const RowSizes sizes(draw);
  const std::int64_t x_stride = sizes.D + (draw.one_in(2) ? 0 : draw.between(1, 40));
  const std::int64_t y_stride =
      sizes.in_place ? x_stride : sizes.D + (draw.one_in(2) ? 0 : draw.between(1, 40));
  const auto x = Input<float>::floats(draw, sizes.T * x_stride);
  const auto factor = Input<float>::floats(draw, sizes.T);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output y = sizes.in_place ? Output(sizes.offset, x) : Output(sizes.offset, sizes.T * y_stride);
    table.scale_rows({.x = sizes.in_place ? y.data() : x.data(),
                      .factor = factor.data(),
                      .y = y.data(),
                      .T = sizes.T,
                      .D = sizes.D,
                      .x_stride = x_stride,
                      .y_stride = y_stride},
                     lane);
    return std::move(y).all();
  };
  return std::make_unique<FunctionCase>(
      fmt::format("{} x_stride {} y_stride {}", sizes.text(), x_stride, y_stride), run,
      equal_bits());
}

// `count` random indices of [0, rows).
inline Input<std::int32_t> random_indices(Draw& draw, std::int64_t count, std::int64_t rows) {
  return Input<std::int32_t>(
      draw, count, [&, rows] { return static_cast<std::int32_t>(draw.between(0, rows - 1)); });
}

inline std::unique_ptr<KernelCase> random_gather(Draw& draw) {
  const RowSizes sizes(draw);
  constexpr DType dtypes[]{DType::f32, DType::bf16, DType::f16, DType::f8_e4m3};
  const DType dtype = dtypes[draw.between(0, 3)];
  const std::int64_t rows = draw.between(1, 30);
  std::vector<std::uint8_t> encoded;
  for (std::int64_t i = 0; i < rows * sizes.D; ++i) append_weight(draw, dtype, encoded);
  const Input<std::uint8_t> table_of(draw, static_cast<std::int64_t>(encoded.size()),
                                     [&, i = std::size_t{0}]() mutable { return encoded[i++]; });
  const Input<std::int32_t> row = random_indices(draw, sizes.T, rows);
  const bool scaled = draw.one_in(2);
  const auto factor = Input<float>::floats(draw, sizes.T);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output y(sizes.offset, sizes.T * sizes.D);
    table.gather({.table = table_of.data(),
                  .dtype = dtype,
                  .row = row.data(),
                  .factor = scaled ? factor.data() : nullptr,
                  .y = y.data(),
                  .R = sizes.T,
                  .D = sizes.D},
                 lane);
    return std::move(y).all();
  };
  return std::make_unique<FunctionCase>(fmt::format("{} of {} rows {}{}", sizes.text(), rows,
                                                    row_of(dtype).name, scaled ? " scaled" : ""),
                                        run, equal_bits());
}

inline std::unique_ptr<KernelCase> random_gather_add(Draw& draw) {
  const RowSizes sizes(draw);
  const std::int64_t rows = draw.between(1, 30), K = draw.between(0, 4);
  const auto base = Input<float>::floats(draw, sizes.T * sizes.D);
  const auto x = Input<float>::floats(draw, rows * sizes.D);
  const Input<std::int32_t> row = random_indices(draw, sizes.T * K, rows);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output y =
        sizes.in_place ? Output(sizes.offset, base) : Output(sizes.offset, sizes.T * sizes.D);
    table.gather_add({.base = sizes.in_place ? y.data() : base.data(),
                      .x = x.data(),
                      .row = row.data(),
                      .y = y.data(),
                      .T = sizes.T,
                      .K = K,
                      .D = sizes.D},
                     lane);
    return std::move(y).all();
  };
  return std::make_unique<FunctionCase>(fmt::format("{} of {} rows K {}", sizes.text(), rows, K),
                                        run, equal_bits());
}

// Few different numbers, so that there are ties, and now and then NaN.
inline std::unique_ptr<KernelCase> random_top_k(Draw& draw) {
  const std::int64_t T = draw.between(0, 12), E = draw.between(1, 40);
  const std::int64_t K = draw.between(1, std::min<std::int64_t>(E, 5)),
                     offset = draw.between(0, 15);
  const Input<float> x(draw, T * E, [&] {
    return draw.one_in(100) ? NAN : static_cast<float>(draw.between(-5, 5));
  });
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output value(offset, T * K);
    std::vector<std::int32_t> index(static_cast<std::size_t>(T * K + 2), -1);  // guarded
    table.top_k(
        {.x = x.data(), .value = value.data(), .index = index.data() + 1, .T = T, .E = E, .K = K},
        lane);
    return joined(std::move(value).all(), std::vector<float>(index.begin(), index.end()));
  };
  return std::make_unique<FunctionCase>(fmt::format("T {} E {} K {}", T, E, K), run, equal_bits());
}

}  // namespace herd::test
