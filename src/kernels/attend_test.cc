// Attention's vector kernel: against the reference on random caches, on every instruction set of the machine, and the
// same bits however rows are put together.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/table.h"
#include "tensor/float_bits.h"

namespace herd {
namespace {

// One or two sequences' caches and T query rows on them.
struct Case {
  std::int64_t T = 0, G = 0, heads = 0, d = 0, blocks = 0;
  DType dtype = DType::f32;
  std::vector<float> wide;            // [sequences, 2, blocks, G, 64, d]
  std::vector<std::uint16_t> narrow;  // the same
  std::vector<const void*> tables[2][2];
  std::vector<AttendRow> rows;
  std::vector<float> q;

  explicit Case(std::uint64_t seed) {
    std::uint64_t counter = 0;
    auto between = [&](std::int64_t low, std::int64_t high) {
      return low + static_cast<std::int64_t>(uniform(seed, counter++) *
                                             static_cast<double>(high - low + 1));
    };
    auto number = [&] { return static_cast<float>(4 * uniform(seed, counter++) - 2); };
    T = between(1, 40);
    G = between(1, 3);
    heads = between(1, 6);
    d = between(1, 4) == 1 ? between(1, 140) : 8 * between(1, 17);
    blocks = between(1, 4);
    dtype = between(0, 1) == 0 ? DType::f32 : DType::bf16;
    const auto block = static_cast<std::size_t>(G * keys_per_block * d);
    wide.resize(4 * static_cast<std::size_t>(blocks) * block);
    for (float& x : wide) x = number();
    for (const float x : wide) narrow.push_back(bf16_of_f32(x));
    std::size_t at = 0;
    for (auto& sequence : tables)
      for (auto& table : sequence)
        for (std::int64_t b = 0; b < blocks; ++b, at += block)
          table.push_back(dtype == DType::f32 ? static_cast<const void*>(wide.data() + at)
                                              : narrow.data() + at);
    const bool two = between(0, 1) == 1;
    for (std::int64_t t = 0; t < T; ++t) {
      const auto& sequence = tables[two && between(0, 1) == 1 ? 1 : 0];
      const std::int64_t count = between(1, blocks * keys_per_block);
      const std::int64_t first = between(0, 2) == 0 ? between(0, count - 1) : 0;
      rows.push_back({sequence[0].data(), sequence[1].data(), first, count});
    }
    q.resize(static_cast<std::size_t>(T * G * heads * d));
    for (float& x : q) x = number();
  }

  // Rows [begin, end) on a table of kernels.
  std::vector<float> run(const KernelTable& kernels, const Lane& lane, std::int64_t begin,
                         std::int64_t end) const {
    const std::int64_t width = G * heads * d;
    std::vector<float> o(static_cast<std::size_t>((end - begin) * width), NAN);
    kernels.attend({.q = q.data() + begin * width,
                    .o = o.data(),
                    .rows = rows.data() + begin,
                    .kv_dtype = dtype,
                    .T = end - begin,
                    .N = G * heads,
                    .G = G,
                    .d = d,
                    .q_stride = width,
                    .o_stride = width,
                    .scale = 0.3f},
                   lane);
    return o;
  }
};

class AttendOnEverySet : public testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override { ASSERT_TRUE(cpu::force_instruction_set(GetParam())); }
  void TearDown() override { cpu::force_instruction_set(""); }
};

TEST_P(AttendOnEverySet, AgreesWithTheReference) {
  ThreadPool pool(3);
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Case one(seed);
    const auto wanted = one.run(ref_kernels(), {}, 0, one.T);
    const auto found = one.run(cpu_kernels(), Lane{&pool}, 0, one.T);
    // Scores reach about 0.3 * 2 * 2 * d; their float32 rounding moves a weight by that share, and a weighted mean of
    // values up to 2 by twice as much.
    const double bound = 2 * 1.2 * static_cast<double>(one.d) * 0x1p-22 + 1e-6;
    for (std::size_t i = 0; i < wanted.size(); ++i)
      ASSERT_NEAR(static_cast<double>(found[i]), static_cast<double>(wanted[i]), bound)
          << "seed " << seed << ", element " << i << ", d " << one.d;
  }
}

TEST_P(AttendOnEverySet, ARowsBitsDoNotDependOnTheRowsBesideIt) {
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    const Case one(seed);
    const auto together = one.run(cpu_kernels(), {}, 0, one.T);
    for (int threads : {1, 3, 8}) {
      ThreadPool pool(threads);
      for (std::int64_t step : {1, 3, 17}) {
        std::vector<float> pieces;
        for (std::int64_t t = 0; t < one.T; t += step) {
          const auto piece = one.run(cpu_kernels(), Lane{&pool}, t, std::min(one.T, t + step));
          pieces.insert(pieces.end(), piece.begin(), piece.end());
        }
        ASSERT_EQ(std::memcmp(pieces.data(), together.data(), together.size() * sizeof(float)), 0)
            << "seed " << seed << ", pieces of " << step << ", threads " << threads;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttendOnEverySet, testing::ValuesIn(cpu::instruction_sets()),
                         [](const auto& set) { return std::string(set.param); });

}  // namespace
}  // namespace herd
