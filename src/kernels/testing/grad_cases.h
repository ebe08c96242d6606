// Random arguments for the kernels of training. Gradients cancel: their rounding errors are in proportion to their
// terms, which are about as large as the largest results; bounds are so many roundings of that.
#pragma once

#include <fmt/format.h>

#include "kernels/testing/row_cases.h"

namespace herd::test {

inline FunctionCase::Tolerance roundings_of_largest(double roundings) {
  return [=](const std::vector<float>& reference) {
    double largest = 0;
    for (const float value : reference)
      if (std::isfinite(value)) largest = std::max(largest, std::fabs(double{value}));
    return std::vector<double>(reference.size(), roundings * eps * largest);
  };
}

// Numbers from 1/2 to 2 and their negatives, so that no row's scale is out of all proportion.
inline Input<float> solid_floats(Draw& draw, std::int64_t count) {
  return Input<float>(draw, count, [&] {
    return static_cast<float>((draw.one_in(2) ? -1 : 1) * (0.5 + 1.5 * draw.unit()));
  });
}

// Sums of float32 over the rows: one rounding each, and those of the product.
inline std::unique_ptr<KernelCase> random_weight_grad(Draw& draw) {
  const std::int64_t groups = draw.between(1, 3), in = draw.between(1, 150);
  const std::int64_t x_stride = in + draw.between(0, 9), offset = draw.between(0, 15);
  std::vector<WeightGradGroup> all;
  std::int64_t rows = 0, width = 0, dw_count = 0, db_count = 0;
  for (std::int64_t g = 0; g < groups; ++g) {
    WeightGradGroup group;
    group.out = draw.between(1, 120);
    group.in = in;
    group.stride = in + draw.between(0, 9);
    group.row_begin = rows;
    rows += draw.one_in(5) ? 0 : draw.between(1, draw.one_in(4) ? 600 : 40);
    group.row_end = rows;
    group.dy_column = draw.between(0, 9);
    width = std::max(width, group.dy_column + group.out);
    dw_count += group.out * group.stride;
    db_count += group.out;
    all.push_back(group);
  }
  const std::int64_t dy_stride = width + draw.between(0, 9);
  const bool biased = draw.one_in(2);
  const auto x = Input<float>::floats(draw, rows * x_stride);
  const auto dy = Input<float>::floats(draw, rows * dy_stride);
  const auto dw_before = Input<float>::floats(draw, dw_count);
  const auto db_before = Input<float>::floats(draw, db_count);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output dw(offset, dw_before), db(offset, db_before);
    std::vector<WeightGradGroup> given = all;
    std::int64_t w = 0, b = 0;
    for (WeightGradGroup& group : given) {
      group.dw = dw.data() + w;
      group.db = biased ? db.data() + b : nullptr;
      w += group.out * group.stride;
      b += group.out;
    }
    table.weight_grad({.x = x.data(),
                       .x_stride = x_stride,
                       .dy = dy.data(),
                       .dy_stride = dy_stride,
                       .groups = given.data(),
                       .num_groups = groups},
                      lane);
    return joined(std::move(dw).all(), std::move(db).all());
  };
  return std::make_unique<FunctionCase>(
      fmt::format("groups {} rows {} in {} strides {} {}{}", groups, rows, in, x_stride, dy_stride,
                  biased ? " biased" : ""),
      run, roundings_of_largest(static_cast<double>(rows) / 4 + 16));
}

inline std::unique_ptr<KernelCase> random_rms_norm_grad(Draw& draw) {
  const RowSizes sizes(draw);
  const bool weighted = draw.one_in(2), with_dw = draw.one_in(2);
  const bool in_place = sizes.in_place && !with_dw;
  const Input<float> x = solid_floats(draw, sizes.T * sizes.D);
  const auto dy = Input<float>::floats(draw, sizes.T * sizes.D);
  const auto weight = Input<float>::floats(draw, sizes.D),
             before = Input<float>::floats(draw, sizes.D);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output dx = in_place ? Output(sizes.offset, dy) : Output(sizes.offset, sizes.T * sizes.D);
    Output dw(sizes.offset, before);
    std::vector<float> rows(static_cast<std::size_t>(sizes.T));
    table.rms_norm_grad({.x = x.data(),
                         .weight = weighted ? weight.data() : nullptr,
                         .dy = in_place ? dx.data() : dy.data(),
                         .dx = dx.data(),
                         .dw = with_dw ? dw.data() : nullptr,
                         .rows = rows.data(),
                         .T = sizes.T,
                         .D = sizes.D,
                         .eps = 1e-5f},
                        lane);
    return joined(std::move(dx).all(), std::move(dw).all());
  };
  return std::make_unique<FunctionCase>(sizes.text() + (with_dw ? " with dw" : ""), run,
                                        roundings_of_largest(64));
}

inline std::unique_ptr<KernelCase> random_layer_norm_grad(Draw& draw) {
  const RowSizes sizes(draw);
  const std::int64_t D = sizes.D + 8;  // fewer may all be alike
  const bool with_parameters = draw.one_in(2);
  const Input<float> x = solid_floats(draw, sizes.T * D);
  const auto dy = Input<float>::floats(draw, sizes.T * D), weight = Input<float>::floats(draw, D);
  const auto before = Input<float>::floats(draw, D);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output dx(sizes.offset, sizes.T * D), dw(sizes.offset, before), db(sizes.offset, before);
    std::vector<float> rows(static_cast<std::size_t>(2 * sizes.T));
    table.layer_norm_grad({.x = x.data(),
                           .weight = weight.data(),
                           .dy = dy.data(),
                           .dx = dx.data(),
                           .dw = with_parameters ? dw.data() : nullptr,
                           .db = with_parameters ? db.data() : nullptr,
                           .rows = rows.data(),
                           .T = sizes.T,
                           .D = D,
                           .eps = 1e-5f},
                          lane);
    return joined(joined(std::move(dx).all(), std::move(dw).all()), std::move(db).all());
  };
  return std::make_unique<FunctionCase>(sizes.text(), run, roundings_of_largest(64));
}

inline std::unique_ptr<KernelCase> random_silu_mul_grad(Draw& draw) {
  const RowSizes sizes(draw);
  const Input<float> gate_up(draw, sizes.T * 2 * sizes.D, [&] { return draw.wide_number(30); });
  const auto dy = Input<float>::floats(draw, sizes.T * sizes.D);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output d(sizes.offset, sizes.T * 2 * sizes.D);
    table.silu_mul_grad({.gate_up = gate_up.data(),
                         .dy = dy.data(),
                         .d_gate_up = d.data(),
                         .T = sizes.T,
                         .I = sizes.D},
                        lane);
    return std::move(d).all();
  };
  return std::make_unique<FunctionCase>(sizes.text(), run, roundings_of_largest(16));
}

inline std::unique_ptr<KernelCase> random_gelu_grad(Draw& draw) {
  const std::int64_t count = draw.one_in(20) ? 20'000 : draw.between(0, 150);
  const std::int64_t offset = draw.between(0, 15);
  const bool in_place = draw.one_in(2);
  const Input<float> x(draw, count, [&] { return draw.wide_number(20); });
  const auto dy = Input<float>::floats(draw, count);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output dx = in_place ? Output(offset, dy) : Output(offset, count);
    table.gelu_grad(
        {.x = x.data(), .dy = in_place ? dx.data() : dy.data(), .dx = dx.data(), .count = count},
        lane);
    return std::move(dx).all();
  };
  return std::make_unique<FunctionCase>(fmt::format("count {}", count), run,
                                        roundings_of_largest(8));
}

// One to three, with rows of no segment between some.
inline std::vector<AttendSegment> random_segments(Draw& draw) {
  std::vector<AttendSegment> segments;
  std::int64_t end = 0;
  for (std::int64_t s = draw.between(1, 3); s > 0; --s) {
    const std::int64_t begin = end + (draw.one_in(4) ? 2 : 0);
    end = begin + draw.between(1, draw.one_in(6) ? 150 : 30);
    segments.push_back({begin, end});
  }
  return segments;
}

// In bfloat16: factors are rounded, 2^-9 each. A device that does not take it leaves it to attend(), which has cases of
// its own.
inline std::unique_ptr<KernelCase> random_attend_within(Draw& draw) {
  const std::int64_t G = draw.between(1, 3), N = G * draw.between(1, 3), d = draw.between(1, 80);
  const std::vector<AttendSegment> segments = random_segments(draw);
  const std::int64_t T = segments.back().end;
  const std::int64_t offset = draw.between(0, 15);
  const bool causal = draw.one_in(2);
  const Input<float> q = solid_floats(draw, T * N * d), k = solid_floats(draw, T * G * d),
                     v = solid_floats(draw, T * G * d);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output o(offset, T * N * d);
    Lane rounding = lane;
    rounding.bfloat16 = true;
    const AttendWithinArgs args{.q = q.data(),
                                .k = k.data(),
                                .v = v.data(),
                                .o = o.data(),
                                .segments = segments.data(),
                                .num_segments = static_cast<std::int64_t>(segments.size()),
                                .N = N,
                                .G = G,
                                .d = d,
                                .scale = 0.05f,
                                .causal = causal};
    if (!table.attend_within(args, rounding)) ref_kernels().attend_within(args, rounding);
    return std::move(o).all();
  };
  return std::make_unique<FunctionCase>(
      fmt::format("N {} G {} d {} rows {}{}", N, G, d, T, causal ? " causal" : ""), run,
      roundings_of_largest(1 << 18));
}

// Every score is a sum of d products; its error moves each weight of its row.
inline std::unique_ptr<KernelCase> random_attend_grad(Draw& draw) {
  const std::int64_t G = draw.between(1, 3), heads = draw.between(1, 3), d = draw.between(1, 40);
  const std::vector<AttendSegment> segments = random_segments(draw);
  const std::int64_t T = segments.back().end;
  const std::int64_t N = G * heads, offset = draw.between(0, 15);
  const bool causal = draw.one_in(2);
  const auto q = Input<float>::floats(draw, T * N * d),
             d_out = Input<float>::floats(draw, T * N * d);
  const auto k = Input<float>::floats(draw, T * G * d), v = Input<float>::floats(draw, T * G * d);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output dq(offset, T * N * d), dk(offset, T * G * d), dv(offset, T * G * d);
    table.attend_grad({.q = q.data(),
                       .k = k.data(),
                       .v = v.data(),
                       .d_out = d_out.data(),
                       .dq = dq.data(),
                       .dk = dk.data(),
                       .dv = dv.data(),
                       .segments = segments.data(),
                       .num_segments = static_cast<std::int64_t>(segments.size()),
                       .N = N,
                       .G = G,
                       .d = d,
                       .scale = 0.2f,
                       .causal = causal},
                      lane);
    return joined(joined(std::move(dq).all(), std::move(dk).all()), std::move(dv).all());
  };
  return std::make_unique<FunctionCase>(
      fmt::format("T {} segments {} N {} G {} d {}{}", T, segments.size(), N, G, d,
                  causal ? " causal" : ""),
      run, roundings_of_largest(64 + 4 * static_cast<double>(d)));
}

inline std::unique_ptr<KernelCase> random_gather_scaled_grad(Draw& draw) {
  const RowSizes sizes(draw);
  const std::int64_t K = draw.between(1, 4), rows = draw.between(1, 30);
  const auto x = Input<float>::floats(draw, sizes.T * sizes.D);
  const auto dy = Input<float>::floats(draw, rows * sizes.D);
  const auto score = Input<float>::floats(draw, sizes.T * K);
  const Input<std::int32_t> row = random_indices(draw, sizes.T * K, rows);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output dx(sizes.offset, sizes.T * sizes.D), dscore(sizes.offset, sizes.T * K);
    table.gather_scaled_grad({.x = x.data(),
                              .dy = dy.data(),
                              .row = row.data(),
                              .score = score.data(),
                              .dx = dx.data(),
                              .dscore = dscore.data(),
                              .T = sizes.T,
                              .K = K,
                              .D = sizes.D},
                             lane);
    return joined(std::move(dx).all(), std::move(dscore).all());
  };
  return std::make_unique<FunctionCase>(
      fmt::format("{} K {}", sizes.text(), K), run,
      roundings_of_largest(static_cast<double>(sizes.D) / 4 + 16));
}

inline std::unique_ptr<KernelCase> random_scatter_rows(Draw& draw) {
  const RowSizes sizes(draw);
  const std::int64_t rows = draw.between(1, 30);
  const auto x = Input<float>::floats(draw, sizes.T * sizes.D);
  const auto before = Input<float>::floats(draw, rows * sizes.D);
  const Input<std::int32_t> row = random_indices(draw, sizes.T, rows);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output to(sizes.offset, before);
    table.scatter_rows(
        {.x = x.data(), .row = row.data(), .table = to.data(), .R = sizes.T, .D = sizes.D}, lane);
    return std::move(to).all();
  };
  return std::make_unique<FunctionCase>(fmt::format("{} to {} rows", sizes.text(), rows), run,
                                        equal_bits());
}

// exp's two roundings, the sum over the vocabulary in pieces, the logarithm of the loss.
inline std::unique_ptr<KernelCase> random_cross_entropy(Draw& draw) {
  const std::int64_t T = draw.between(0, 12), offset = draw.between(0, 15);
  const std::int64_t V = draw.one_in(8) ? draw.between(1'000, 5'000) : draw.between(1, 90);
  const Input<float> logits(draw, T * V, [&] { return draw.wide_number(20); });
  const Input<std::int32_t> target = random_indices(draw, T, V);
  const Input<float> weight(draw, T, [&] { return draw.one_in(4) ? 0.0f : draw.number(); });
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output gradient(offset, logits), loss(offset, T);
    table.cross_entropy({.logits = gradient.data(),
                         .target = target.data(),
                         .weight = weight.data(),
                         .loss = loss.data(),
                         .T = T,
                         .V = V},
                        lane);
    return joined(std::move(gradient).all(), std::move(loss).all());
  };
  return std::make_unique<FunctionCase>(fmt::format("T {} V {} offset {}", T, V, offset), run,
                                        roundings_of_largest(32));
}

inline std::unique_ptr<KernelCase> random_adamw(Draw& draw) {
  const std::int64_t count = draw.one_in(20) ? 40'001 : draw.between(0, 150);
  const std::int64_t offset = draw.between(0, 15);
  const auto w = Input<float>::floats(draw, count), gradient = Input<float>::floats(draw, count);
  const auto m = Input<float>::floats(draw, count);
  const Input<float> v = Input<float>::floats(draw, count).magnitudes();
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output w_now(offset, w), gradient_now(offset, gradient), m_now(offset, m), v_now(offset, v);
    table.adamw({.w = w_now.data(),
                 .gradient = gradient_now.data(),
                 .m = m_now.data(),
                 .v = v_now.data(),
                 .count = count,
                 .factor = 0.7f,
                 .rate = 1e-3f,
                 .beta1 = 0.9f,
                 .beta2 = 0.95f,
                 .eps = 1e-8f,
                 .decay = 0.1f,
                 .correction1 = 1.5f,
                 .correction2 = 2.5f},
                lane);
    return joined(joined(std::move(w_now).all(), std::move(gradient_now).all()),
                  joined(std::move(m_now).all(), std::move(v_now).all()));
  };
  return std::make_unique<FunctionCase>(fmt::format("count {}", count), run,
                                        roundings_of_largest(8));
}

inline std::unique_ptr<KernelCase> random_sum_squares(Draw& draw) {
  const std::int64_t count = draw.one_in(4) ? draw.between(16'000, 50'000) : draw.between(0, 150);
  const auto x = Input<float>::floats(draw, count);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    // One more at the end, as a guard.
    std::vector<double> sum(
        static_cast<std::size_t>((count + squares_per_piece - 1) / squares_per_piece + 1), -1.0);
    table.sum_squares({.x = x.data(), .sum = sum.data(), .count = count}, lane);
    std::vector<float> out;
    for (const double one : sum) out.push_back(static_cast<float>(one));
    return out;
  };
  return std::make_unique<FunctionCase>(fmt::format("count {}", count), run,
                                        roundings_of_result(2));
}

}  // namespace herd::test
