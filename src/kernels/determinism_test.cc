// The same bits for a row whatever is computed beside it: any number of rows, any split, any number of threads.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/testing/matmul_case.h"

namespace herd {
namespace {

using test::Draw;
using test::Input;

class Determinism : public testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override { ASSERT_TRUE(cpu::force_instruction_set(GetParam())); }
  void TearDown() override { cpu::force_instruction_set(""); }
};

INSTANTIATE_TEST_SUITE_P(Kernels, Determinism, testing::ValuesIn(cpu::instruction_sets()),
                         [](const auto& param) { return std::string(param.param); });

// The index of the first value with other bits, or -1.
std::int64_t first_difference(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i]))
      return static_cast<std::int64_t>(i);
  return -1;
}

// [0, rows) cut at random places; pieces of one row and of many.
std::vector<std::int64_t> random_cuts(Draw& draw, std::int64_t rows) {
  std::vector<std::int64_t> cuts{0};
  while (cuts.back() < rows)
    cuts.push_back(std::min(rows, cuts.back() + draw.between(1, draw.one_in(2) ? 6 : 50)));
  return cuts;
}

TEST_P(Determinism, MatmulRowsDoNotDependOnSplitOrThreads) {
  constexpr std::int64_t rows = 64, in = 1061, out = 75;  // several blocks of k, odd tails
  Draw draw(7);
  const auto x = Input<float>::floats(draw, rows * in);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f8_e4m3})
    for (const Layout layout : {Layout::out_in, Layout::in_out}) {
      const test::RandomMatrix weight(draw, dtype, layout, out, in, true);
      const auto bias = Input<float>::floats(draw, out);
      const auto multiply = [&](const std::vector<std::int64_t>& cuts, bool one_call, int threads) {
        ThreadPool pool(threads);
        std::vector<float> y(rows * out);
        std::vector<MatmulGroup> groups;
        for (std::size_t i = 0; i + 1 < cuts.size(); ++i)
          groups.push_back({weight.matrix(), bias.data(), cuts[i], cuts[i + 1], 0});
        for (std::size_t i = 0; i < groups.size(); i += one_call ? groups.size() : 1)
          cpu_kernels().matmul({x.data(), in, y.data(), out, &groups[i],
                                one_call ? static_cast<std::int64_t>(groups.size()) : 1},
                               {&pool});
        return y;
      };
      const std::vector<float> whole = multiply({0, rows}, true, 1);
      const auto where = [&](std::int64_t at) {
        return fmt::format("{} {} row {} output {}", row_of(dtype).name,
                           layout == Layout::out_in ? "out_in" : "in_out", at / out, at % out);
      };
      for (int threads = 2; threads <= 8; ++threads) {
        const std::int64_t at = first_difference(whole, multiply({0, rows}, true, threads));
        ASSERT_EQ(at, -1) << where(at) << " with " << threads << " threads";
      }
      std::vector<std::vector<std::int64_t>> splits;
      for (std::int64_t step = 1; step <= rows; step = step * 3 / 2 + 1) {
        splits.push_back({0});
        while (splits.back().back() < rows)
          splits.back().push_back(std::min(rows, splits.back().back() + step));
      }
      for (int i = 0; i < 4; ++i) splits.push_back(random_cuts(draw, rows));
      for (const auto& cuts : splits) {
        const std::int64_t at = first_difference(
            whole, multiply(cuts, draw.one_in(2), static_cast<int>(draw.between(1, 3))));
        ASSERT_EQ(at, -1) << where(at) << " cut into " << cuts.size() - 1 << " pieces";
      }
    }
}

}  // namespace
}  // namespace herd
