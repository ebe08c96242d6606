// Every kernel of the CPU, with every instruction set this machine has, against the reference on random arguments.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/thread_pool.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/testing/all_cases.h"

namespace herd {
namespace {

using test::Draw;
using test::KernelCase;

// The place and size of the worst difference beyond tolerance, or "".
std::string difference(const std::vector<float>& ref, const std::vector<float>& got,
                       const std::vector<double>& tolerance) {
  if (ref.size() != got.size() || ref.size() != tolerance.size()) return "different sizes";
  for (std::size_t i = 0; i < ref.size(); ++i) {
    const auto ref_bits = std::bit_cast<std::uint32_t>(ref[i]);
    const auto got_bits = std::bit_cast<std::uint32_t>(got[i]);
    if (ref_bits == got_bits) continue;
    const bool untouched = ref_bits == test::untouched_bits;
    if (untouched || !(std::fabs(double{ref[i]} - double{got[i]}) <= tolerance[i]))
      return fmt::format("element {} of {} (guards included): reference {}, got {}, tolerance {}{}",
                         i, ref.size(), ref[i], got[i], tolerance[i],
                         untouched ? "; it should not have been written" : "");
  }
  return "";
}

// HERD_TEST_SEEDS bounds what runs where every instruction takes many (`make test-arm`).
std::uint64_t seeds_of(const test::CaseKind& kind) {
  const char* most = std::getenv("HERD_TEST_SEEDS");
  return most == nullptr ? kind.seeds
                         : std::min<std::uint64_t>(kind.seeds, std::strtoull(most, nullptr, 10));
}

class Parity : public testing::TestWithParam<std::tuple<std::string_view, const test::CaseKind*>> {
};

TEST_P(Parity, AgreesWithTheReference) {
  const auto& [set, kind] = GetParam();
  ASSERT_TRUE(cpu::force_instruction_set(set));
  ASSERT_EQ(cpu::chosen_instruction_set(), set);
  ThreadPool pool(3);
  const std::uint64_t seeds = seeds_of(*kind);
  ASSERT_GT(seeds, 0u);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Draw draw(seed);
    const std::unique_ptr<KernelCase> one = kind->make(draw);
    const std::vector<float> ref = one->run(ref_kernels(), {});
    const Lane lane{seed % 2 == 0 ? &pool : nullptr};
    const std::vector<float> got = one->run(cpu_kernels(), lane);
    ASSERT_EQ(difference(ref, got, one->tolerance(ref)), "")
        << "seed " << seed << ": " << one->text();
  }
  cpu::force_instruction_set("");
}

INSTANTIATE_TEST_SUITE_P(Kernels, Parity,
                         testing::Combine(testing::ValuesIn(cpu::instruction_sets()),
                                          testing::ValuesIn(test::kinds())),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param)) + "_" +
                                  std::get<1>(param.param)->name;
                         });

}  // namespace
}  // namespace herd
