// The same bits for a row whatever is computed beside it: any number of rows, any split, any number of threads.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/testing/all_cases.h"

namespace herd {
namespace {

using test::Draw;
using test::first_difference;
using test::Input;

class Determinism : public testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override { ASSERT_TRUE(cpu::force_instruction_set(GetParam())); }
  void TearDown() override { cpu::force_instruction_set(""); }
};

INSTANTIATE_TEST_SUITE_P(Kernels, Determinism, testing::ValuesIn(cpu::instruction_sets()),
                         [](const auto& param) { return std::string(param.param); });

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

// More inputs than the rows of a batch are turned at a time.
TEST_P(Determinism, MatmulRowsOfManyInputsDoNotDependOnTheRowsBesideThem) {
  constexpr std::int64_t rows = 32, in = 8192 + 300, out = 37;
  Draw draw(8);
  const auto x = Input<float>::floats(draw, rows * in);
  const test::RandomMatrix weight(draw, DType::f16, Layout::out_in, out, in, true);
  const auto multiply = [&](std::int64_t step) {
    std::vector<float> y(rows * out);
    for (std::int64_t t = 0; t < rows; t += step) {
      const MatmulGroup group{weight.matrix(), nullptr, t, std::min(rows, t + step), 0};
      cpu_kernels().matmul({x.data(), in, y.data(), out, &group, 1}, {});
    }
    return y;
  };
  const std::vector<float> alone = multiply(1);
  for (const std::int64_t step : {9, 16, 17, 32})
    ASSERT_EQ(first_difference(alone, multiply(step)), -1) << step << " rows together";
}

// Rows, or elements, that a kernel can be asked for in any pieces.
struct Rows {
  std::string name;
  std::int64_t rows, width;
  std::function<void(std::int64_t begin, std::int64_t end, float* y, const Lane& lane)> compute;
};

// Widths are odd and rows lie one after the other, so every row begins at another place in a vector; all rows together
// are work for several threads.
std::vector<Rows> row_kernels(Draw& draw) {
  constexpr std::int64_t T = 150, D = 377, count = 60'001, heads = 5, d = 74, K = 3;
  const KernelTable& cpu = cpu_kernels();
  const auto x = Input<float>::floats(draw, count), other = Input<float>::floats(draw, count);
  const auto weight = Input<float>::floats(draw, D), bias = Input<float>::floats(draw, D);
  const auto cos = Input<float>::floats(draw, T * d / 2),
             sin = Input<float>::floats(draw, T * d / 2);
  const Input<std::int32_t> row = test::random_indices(draw, T * K, T);
  return {
      {"rms_norm", T, D,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.rms_norm({x.data() + begin * D, weight.data(), y, end - begin, D, 1e-5f}, lane);
       }},
      {"layer_norm", T, D,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.layer_norm(
             {x.data() + begin * D, weight.data(), bias.data(), y, end - begin, D, 1e-5f}, lane);
       }},
      {"rope", T, heads * d,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.rope({x.data() + begin * heads * d, cos.data() + begin * d / 2,
                   sin.data() + begin * d / 2, y, end - begin, heads, d, heads * d, heads * d},
                  lane);
       }},
      {"silu_mul", T / 2, D,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.silu_mul({x.data() + begin * 2 * D, y, end - begin, D}, lane);
       }},
      {"gather", T, D,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.gather(
             {x.data(), DType::f32, row.data() + begin, other.data() + begin, y, end - begin, D},
             lane);
       }},
      {"gather_add", T, D,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.gather_add(
             {other.data() + begin * D, x.data(), row.data() + begin * K, y, end - begin, K, D},
             lane);
       }},
      {"scale_rows", T, D,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.scale_rows({x.data() + begin * D, other.data() + begin, y, end - begin, D, D, D},
                        lane);
       }},
      {"gelu", count, 1,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.gelu({x.data() + begin, y, end - begin}, lane);
       }},
      {"sigmoid", count, 1,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.sigmoid({x.data() + begin, y, end - begin}, lane);
       }},
      {"add", count, 1,
       [=](std::int64_t begin, std::int64_t end, float* y, const Lane& lane) {
         cpu.add({x.data() + begin, other.data() + begin, y, end - begin}, lane);
       }},
  };
}

TEST_P(Determinism, RowsDoNotDependOnTheRowsBesideThem) {
  Draw draw(11);
  ThreadPool pool(3);
  for (const Rows& kernel : row_kernels(draw)) {
    const auto cut = [&](const std::vector<std::int64_t>& cuts, const Lane& lane) {
      // Somewhere else in memory each time.
      test::Output y(draw.between(0, 15), kernel.rows * kernel.width);
      for (std::size_t i = 0; i + 1 < cuts.size(); ++i)
        kernel.compute(cuts[i], cuts[i + 1], y.data() + cuts[i] * kernel.width, lane);
      return std::vector<float>(y.data(), y.data() + kernel.rows * kernel.width);
    };
    const std::vector<float> whole = cut({0, kernel.rows}, {});
    std::vector<std::int64_t> single;
    for (std::int64_t t = 0; t <= kernel.rows; ++t) single.push_back(t);
    ASSERT_EQ(first_difference(whole, cut(single, {&pool})), -1) << kernel.name << " row by row";
    ASSERT_EQ(first_difference(whole, cut({0, kernel.rows}, {&pool})), -1)
        << kernel.name << ", 3 threads";
    for (int i = 0; i < 4; ++i)
      ASSERT_EQ(first_difference(whole, cut(random_cuts(draw, kernel.rows), {&pool})), -1)
          << kernel.name << " in random pieces";
  }
}

TEST_P(Determinism, AttentionRowsDoNotDependOnTheRowsBesideThem) {
  ThreadPool pool(3);
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    Draw draw(seed);
    const test::AttendCase one(draw);
    const std::int64_t T = one.sizes().T, width = one.o_stride();
    // Of what a call wrote, its rows without the guards.
    const auto rows = [&](std::int64_t begin, std::int64_t end, const Lane& lane) {
      const std::vector<float> all = one.run_rows(cpu_kernels(), lane, begin, end);
      const auto from = all.begin() + test::Output::guard + one.offset();
      return std::vector<float>(from, from + (end - begin) * width);
    };
    const std::vector<float> whole = rows(0, T, {});
    for (int i = 0; i < 3; ++i) {
      const std::vector<std::int64_t> cuts = random_cuts(draw, T);
      std::vector<float> pieces;
      for (std::size_t c = 0; c + 1 < cuts.size(); ++c)
        pieces = test::joined(std::move(pieces), rows(cuts[c], cuts[c + 1], {&pool}));
      ASSERT_EQ(first_difference(whole, pieces), -1) << "seed " << seed << ": " << one.text();
    }
  }
}

// Every kernel, also those whose outputs are no rows.
TEST_P(Determinism, NothingDependsOnTheNumberOfThreads) {
  ThreadPool two(2), three(3), eight(8);
  for (const test::CaseKind* kind : test::kinds())
    for (std::uint64_t seed = 500; seed < 520; ++seed) {
      Draw draw(seed);
      const std::unique_ptr<test::KernelCase> one = kind->make(draw);
      const std::vector<float> alone = one->run(cpu_kernels(), {});
      for (ThreadPool* pool : {&two, &three, &eight})
        ASSERT_EQ(first_difference(alone, one->run(cpu_kernels(), {pool})), -1)
            << kind->name << " with " << pool->threads() << " threads, seed " << seed << ": "
            << one->text();
    }
}

}  // namespace
}  // namespace herd
