// sigmoid, gelu and SwiGLU's slope over all of float32, every exponent and both signs, infinities and NaN among them.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/instruction_set.h"
#include "kernels/table.h"

namespace herd {
namespace {

class Elementwise : public testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override { ASSERT_TRUE(cpu::force_instruction_set(GetParam())); }
  void TearDown() override { cpu::force_instruction_set(""); }
};

INSTANTIATE_TEST_SUITE_P(Kernels, Elementwise, testing::ValuesIn(cpu::instruction_sets()),
                         [](const auto& param) { return std::string(param.param); });

std::vector<float> floats_of_every_kind() {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> all{0.0f, -0.0f, infinity, -infinity, NAN, -NAN};
  constexpr std::uint64_t step = 40'009;  // prime: every exponent with many different mantissas
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += step)
    all.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  return all;
}

template <class Args>
void expect_near_reference(void (*KernelTable::*kernel)(const Args&, const Lane&),
                           double roundings) {
  const std::vector<float> x = floats_of_every_kind();
  const auto run = [&](const KernelTable& table) {
    std::vector<float> y(x.size());
    (table.*kernel)({.x = x.data(), .y = y.data(), .count = static_cast<std::int64_t>(x.size())},
                    {});
    return y;
  };
  const std::vector<float> wanted = run(ref_kernels()), found = run(cpu_kernels());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(wanted[i]) || std::isinf(wanted[i])) {
      ASSERT_TRUE(std::isnan(wanted[i]) ? std::isnan(found[i]) : found[i] == wanted[i])
          << "of " << x[i] << ": " << found[i] << ", wanted " << wanted[i];
      continue;
    }
    const double bound = roundings * 0x1p-24 * std::fabs(double{wanted[i]}) + 0x1p-148;
    ASSERT_NEAR(double{found[i]}, double{wanted[i]}, bound) << "of " << x[i];
  }
}

TEST_P(Elementwise, SigmoidIsWithinSixRoundings) {
  expect_near_reference(&KernelTable::sigmoid, 6);
}

TEST_P(Elementwise, GeluIsWithinOneUnitOfTheLastPlace) {
  expect_near_reference(&KernelTable::gelu, 2);
}

TEST_P(Elementwise, GelusGradientHoldsForEveryNumber) {
  std::vector<float> x = floats_of_every_kind();
  std::erase_if(x, [](float value) { return !std::isfinite(value); });
  for (float value = -40; value < 40; value += 0.01f) x.push_back(value);
  const std::vector<float> dy(x.size(), 1.0f);
  const auto run = [&](const KernelTable& table) {
    std::vector<float> dx(x.size());
    table.gelu_grad({.x = x.data(),
                     .dy = dy.data(),
                     .dx = dx.data(),
                     .count = static_cast<std::int64_t>(x.size())},
                    {});
    return dx;
  };
  const std::vector<float> wanted = run(ref_kernels()), found = run(cpu_kernels());
  for (std::size_t i = 0; i < x.size(); ++i)
    ASSERT_NEAR(double{found[i]}, double{wanted[i]}, 1.2e-7 * std::fabs(double{wanted[i]}) + 1e-10)
        << "at " << x[i];
}

TEST_P(Elementwise, SiluMulsGradientHoldsForEveryGate) {
  std::vector<float> gate_up = floats_of_every_kind();
  // Where the product of a gate and its slope is no number, so is the reference's.
  std::erase_if(gate_up, [](float gate) { return !std::isfinite(gate); });
  for (float gate = -200; gate < 200; gate += 0.25f) gate_up.push_back(gate);
  const std::size_t count = gate_up.size();
  const std::vector<float> dy(count, 1.0f);
  gate_up.resize(2 * count, 1.0f);
  const auto run = [&](const KernelTable& table) {
    std::vector<float> d(2 * count);
    table.silu_mul_grad({.gate_up = gate_up.data(),
                         .dy = dy.data(),
                         .d_gate_up = d.data(),
                         .T = 1,
                         .I = static_cast<std::int64_t>(count)},
                        {});
    return d;
  };
  const std::vector<float> wanted = run(ref_kernels()), found = run(cpu_kernels());
  for (std::size_t i = 0; i < 2 * count; ++i) {
    const double bound = 1e-6 * std::max(1.0, std::fabs(double{wanted[i]}));
    ASSERT_NEAR(double{found[i]}, double{wanted[i]}, bound)
        << "at a gate of " << gate_up[i % count];
  }
}

}  // namespace
}  // namespace herd
