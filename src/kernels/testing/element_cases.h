// Random arguments for the kernels that treat elements by themselves.
#pragma once

#include <fmt/format.h>

#include "kernels/testing/cases.h"

namespace herd::test {

// Mostly a few vectors, sometimes enough for several threads.
inline std::int64_t random_count(Draw& draw) {
  return draw.one_in(20) ? draw.between(60'000, 150'000) : draw.between(0, 150);
}

// A kernel with arguments {x, y, count}, y sometimes x.
template <class Args>
std::unique_ptr<KernelCase> random_map(Draw& draw,
                                       void (*KernelTable::*kernel)(const Args&, const Lane&),
                                       double largest, FunctionCase::Tolerance tolerance) {
  const std::int64_t count = random_count(draw), offset = draw.between(0, 15);
  const bool in_place = draw.one_in(2);
  const Input<float> x(draw, count, [&] { return draw.wide_number(largest); });
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output y = in_place ? Output(offset, x) : Output(offset, count);
    (table.*kernel)({.x = in_place ? y.data() : x.data(), .y = y.data(), .count = count}, lane);
    return std::move(y).all();
  };
  return std::make_unique<FunctionCase>(
      fmt::format("count {} offset {}{}", count, offset, in_place ? " in place" : ""), run,
      std::move(tolerance));
}

// exp within two roundings, in numerator and denominator; the sum, the division: six, and the last place of subnormals.
inline std::unique_ptr<KernelCase> random_sigmoid(Draw& draw) {
  return random_map(draw, &KernelTable::sigmoid, 120, roundings_of_result(6, 0x1p-148));
}

// Computed in float64 and rounded once, as the reference: a tie may fall to the other side.
inline std::unique_ptr<KernelCase> random_gelu(Draw& draw) {
  return random_map(draw, &KernelTable::gelu, 20, roundings_of_result(2, 0x1p-149));
}

inline std::unique_ptr<KernelCase> random_add(Draw& draw) {
  const std::int64_t count = random_count(draw), offset = draw.between(0, 15);
  const std::int64_t place = draw.between(0, 2);  // y is neither, a, or b
  const auto a = Input<float>::floats(draw, count), b = Input<float>::floats(draw, count);
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output y = place == 0 ? Output(offset, count) : Output(offset, place == 1 ? a : b);
    table.add({.a = place == 1 ? y.data() : a.data(),
               .b = place == 2 ? y.data() : b.data(),
               .y = y.data(),
               .count = count},
              lane);
    return std::move(y).all();
  };
  return std::make_unique<FunctionCase>(
      fmt::format("count {} offset {} place {}", count, offset, place), run, equal_bits());
}

// sigmoid's six roundings and two products; where sigmoid is subnormal, its last place times gate and up.
inline std::unique_ptr<KernelCase> random_silu_mul(Draw& draw) {
  const bool large = draw.one_in(20);
  const std::int64_t T = draw.between(0, 12), offset = draw.between(0, 15);
  const std::int64_t I = large ? draw.between(5'000, 12'000) : draw.between(1, 90);
  const Input<float> gate_up(draw, T * 2 * I, [&] { return draw.wide_number(120); });
  const auto run = [=](const KernelTable& table, const Lane& lane) {
    Output y(offset, T * I);
    table.silu_mul({.gate_up = gate_up.data(), .y = y.data(), .T = T, .I = I}, lane);
    return std::move(y).all();
  };
  return std::make_unique<FunctionCase>(fmt::format("T {} I {} offset {}", T, I, offset), run,
                                        roundings_of_result(8, 0x1p-148 * 120 * 120));
}

}  // namespace herd::test
