// Products with factors rounded to bfloat16: against sums of the same rounded numbers in float64, and the same bits at
// any number of threads. Only on processors that have the instruction.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "kernels/cpu/bfloat16_product.h"
#include "kernels/cpu/quantized_product.h"
#include "kernels/table.h"
#include "tensor/float_bits.h"

namespace herd {
namespace {

std::vector<float> numbers(std::int64_t count, std::uint64_t seed) {
  std::vector<float> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(uniform(seed, i) * 2 - 1);
  return out;
}

double rounded(float x) { return f32_of_bf16(bf16_of_f32(x)); }

struct Size {
  std::int64_t rows, in, out;
};
constexpr Size sizes[] = {{33, 1, 1},     {40, 7, 31},     {64, 256, 32},
                          {100, 257, 33}, {129, 192, 300}, {300, 515, 96}};

struct Weights {
  Layout layout;
  DType dtype;
};

// 256 bits in place of 512 while it lives, where the processor can.
struct NarrowVectors {
  bool there = cpu::force_quantized_kernels("avx512_vnni256");
  NarrowVectors() = default;
  NarrowVectors(const NarrowVectors&) = delete;
  NarrowVectors& operator=(const NarrowVectors&) = delete;
  ~NarrowVectors() { cpu::force_quantized_kernels(""); }
  explicit operator bool() const { return there; }
};

class Bfloat16 : public testing::TestWithParam<Weights> {
 protected:
  void SetUp() override {
    if (!cpu::has_bfloat16_products()) GTEST_SKIP() << "this processor has no products of bfloat16";
  }
};

TEST_P(Bfloat16, ProductsAreThoseOfRoundedFactors) {
  ThreadPool pool(3);
  for (const Size& size : sizes) {
    const bool by_output = GetParam().layout == Layout::out_in;
    const std::int64_t stride = (by_output ? size.in : size.out) + 3, x_stride = size.in + 5;
    const std::vector<float> x = numbers(size.rows * x_stride, 1);
    const std::vector<float> w = numbers((by_output ? size.out : size.in) * stride, 2);
    const std::vector<float> bias = numbers(size.out, 3);
    std::vector<std::uint16_t> narrow(w.size());
    std::ranges::transform(w, narrow.begin(), bf16_of_f32);
    const bool is_narrow = GetParam().dtype == DType::bf16;
    const MatmulGroup group{.weight = {.data = is_narrow ? static_cast<const void*>(narrow.data())
                                                         : static_cast<const void*>(w.data()),
                                       .dtype = GetParam().dtype,
                                       .layout = GetParam().layout,
                                       .out = size.out,
                                       .in = size.in,
                                       .stride = stride},
                            .bias = bias.data(),
                            .row_begin = 0,
                            .row_end = size.rows};
    std::vector<float> alone(static_cast<std::size_t>(size.rows * size.out), 7), together = alone;
    const auto run = [&](std::vector<float>& y, ThreadPool* threads) {
      cpu_kernels().matmul({.x = x.data(),
                            .x_stride = x_stride,
                            .y = y.data(),
                            .y_stride = size.out,
                            .groups = &group,
                            .num_groups = 1},
                           {.pool = threads, .bfloat16 = true});
    };
    run(alone, nullptr);
    run(together, &pool);
    EXPECT_EQ(alone, together);
    if (const NarrowVectors at_256; at_256) {
      std::ranges::fill(together, 7.0f);
      run(together, &pool);
      EXPECT_EQ(alone, together);
    }
    double furthest = 0;  // from products that were not rounded
    for (std::int64_t t = 0; t < size.rows; ++t)
      for (std::int64_t o = 0; o < size.out; ++o) {
        double sum = 0, exact = 0, length = 0;
        for (std::int64_t i = 0; i < size.in; ++i) {
          const auto at = static_cast<std::size_t>(by_output ? o * stride + i : i * stride + o);
          const float factor = x[static_cast<std::size_t>(t * x_stride + i)];
          sum += rounded(factor) * rounded(w[at]);
          exact += double{factor} * double{w[at]};
          length += std::fabs(double{factor} * double{w[at]});
        }
        const double b = bias[static_cast<std::size_t>(o)];
        const double got = alone[static_cast<std::size_t>(t * size.out + o)];
        ASSERT_NEAR(got, sum + b, 1e-6 * (length + 1)) << size.in << " to " << size.out;
        furthest = std::max(furthest, std::fabs(got - exact - b));
      }
    EXPECT_GT(furthest, 1e-4);  // it was float32 that was multiplied
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, Bfloat16,
    testing::Values(Weights{Layout::out_in, DType::f32}, Weights{Layout::in_out, DType::f32},
                    Weights{Layout::out_in, DType::bf16}, Weights{Layout::in_out, DType::bf16}),
    [](const auto& param) {
      return std::string(param.param.layout == Layout::out_in ? "out_in_" : "in_out_") +
             std::string(row_of(param.param.dtype).name);
    });

using Bfloat16Gradient = Bfloat16;

TEST_P(Bfloat16Gradient, OfWeightsIsThatOfRoundedFactors) {
  ThreadPool pool(3);
  for (const Size& size : sizes) {
    const std::int64_t x_stride = size.in + 1, dy_stride = size.out + 4, stride = size.in + 2;
    const std::vector<float> x = numbers((size.rows + 2) * x_stride, 4);
    const std::vector<float> dy = numbers((size.rows + 2) * dy_stride, 5);
    const std::vector<float> before = numbers(size.out * stride, 6);
    const auto run = [&](ThreadPool* threads) {
      std::vector<float> dw = before;
      const WeightGradGroup group{.dw = dw.data(),
                                  .out = size.out,
                                  .in = size.in,
                                  .stride = stride,
                                  .row_begin = 1,
                                  .row_end = size.rows + 1,
                                  .dy_column = 2};
      cpu_kernels().weight_grad({.x = x.data(),
                                 .x_stride = x_stride,
                                 .dy = dy.data(),
                                 .dy_stride = dy_stride,
                                 .groups = &group,
                                 .num_groups = 1},
                                {.pool = threads, .bfloat16 = true});
      return dw;
    };
    const std::vector<float> dw = run(nullptr);
    EXPECT_EQ(dw, run(&pool));
    if (const NarrowVectors at_256; at_256) {
      EXPECT_EQ(dw, run(&pool));
    }
    for (std::int64_t o = 0; o < size.out; ++o)
      for (std::int64_t i = 0; i < stride; ++i) {
        const auto at = static_cast<std::size_t>(o * stride + i);
        double sum = before[at], length = 1;
        for (std::int64_t t = 1; i < size.in && t <= size.rows; ++t) {
          const double product = rounded(dy[static_cast<std::size_t>(t * dy_stride + 2 + o)]) *
                                 rounded(x[static_cast<std::size_t>(t * x_stride + i)]);
          sum += product;
          length += std::fabs(product);
        }
        ASSERT_NEAR(dw[at], sum, 1e-6 * length) << size.in << " to " << size.out;
      }
  }
}

// Beside the reference's, which rounds nothing: the error is that of rounded factors, 2^-9 each, and no more.
TEST_P(Bfloat16Gradient, OfAttentionIsNearTheReferences) {
  ThreadPool pool(3);
  struct Shape {
    std::int64_t length, N, G, d;
    bool causal;
  };
  for (const Shape& s : {Shape{33, 1, 1, 1, true},
                         {40, 4, 2, 64, true},
                         {301, 6, 2, 40, true},
                         {65, 4, 4, 24, false},
                         {600, 2, 1, 72, true}}) {
    // Rows before, between and behind segments are of none; the second is too short to be rounded.
    const AttendSegment segments[] = {{1, 1 + s.length}, {3 + s.length, 13 + s.length}};
    const std::int64_t T = 14 + s.length;
    const std::vector<float> q = numbers(T * s.N * s.d, 7), k = numbers(T * s.G * s.d, 8),
                             v = numbers(T * s.G * s.d, 9), d_out = numbers(T * s.N * s.d, 10);
    const auto run = [&](const KernelTable& table, const Lane& lane) {
      const std::int64_t wide = T * s.N * s.d, narrow = T * s.G * s.d;
      std::vector<float> out(static_cast<std::size_t>(wide + 2 * narrow), 5);
      table.attend_grad({.q = q.data(),
                         .k = k.data(),
                         .v = v.data(),
                         .d_out = d_out.data(),
                         .dq = out.data(),
                         .dk = out.data() + wide,
                         .dv = out.data() + wide + narrow,
                         .segments = segments,
                         .num_segments = 2,
                         .N = s.N,
                         .G = s.G,
                         .d = s.d,
                         .scale = 0.5f,
                         .causal = s.causal},
                        lane);
      return out;
    };
    const std::vector<float> wanted = run(ref_kernels(), {});
    const std::vector<float> found = run(cpu_kernels(), {.bfloat16 = true});
    EXPECT_EQ(found, run(cpu_kernels(), {.pool = &pool, .bfloat16 = true}));
    if (const NarrowVectors at_256; at_256) {
      EXPECT_EQ(found, run(cpu_kernels(), {.pool = &pool, .bfloat16 = true}));
    }
    double error = 0, size = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const double difference = double{found[i]} - double{wanted[i]};
      ASSERT_LT(std::fabs(difference), 0.1 + 0.02 * std::fabs(double{wanted[i]})) << i;
      error += difference * difference;
      if (wanted[i] != 5) size += double{wanted[i]} * double{wanted[i]};
    }
    EXPECT_LT(std::sqrt(error / size), 0.006) << s.length;
    EXPECT_GT(error, 0) << s.length;  // something was rounded
  }
}

// The same of the way there; segments of any length are rounded.
TEST_P(Bfloat16Gradient, AttentionItselfIsNearTheReferences) {
  ThreadPool pool(3);
  struct Shape {
    std::int64_t length, N, G, d;
    bool causal;
  };
  for (const Shape& s : {Shape{1, 1, 1, 1, true},
                         {28, 4, 2, 64, true},
                         {301, 6, 2, 40, true},
                         {577, 4, 4, 88, false},
                         {65, 4, 4, 24, false},
                         {600, 2, 1, 256, true}}) {
    const AttendSegment segments[] = {{1, 1 + s.length}, {3 + s.length, 13 + s.length}};
    const std::int64_t T = 14 + s.length;
    const std::vector<float> q = numbers(T * s.N * s.d, 7), k = numbers(T * s.G * s.d, 8),
                             v = numbers(T * s.G * s.d, 9);
    const auto run = [&](const KernelTable& table, const Lane& lane) {
      std::vector<float> o(static_cast<std::size_t>(T * s.N * s.d), 5);
      EXPECT_TRUE(table.attend_within({.q = q.data(),
                                       .k = k.data(),
                                       .v = v.data(),
                                       .o = o.data(),
                                       .segments = segments,
                                       .num_segments = 2,
                                       .N = s.N,
                                       .G = s.G,
                                       .d = s.d,
                                       .scale = 0.5f,
                                       .causal = s.causal},
                                      lane));
      return o;
    };
    const std::vector<float> wanted = run(ref_kernels(), {});
    const std::vector<float> found = run(cpu_kernels(), {.bfloat16 = true});
    EXPECT_EQ(found, run(cpu_kernels(), {.pool = &pool, .bfloat16 = true}));
    if (const NarrowVectors at_256; at_256) {
      EXPECT_EQ(found, run(cpu_kernels(), {.pool = &pool, .bfloat16 = true}));
    }
    double error = 0, size = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const double difference = double{found[i]} - double{wanted[i]};
      ASSERT_LT(std::fabs(difference), 0.02) << s.length << " at " << i;
      error += difference * difference;
      if (wanted[i] != 5) size += double{wanted[i]} * double{wanted[i]};
    }
    EXPECT_LT(std::sqrt(error / size), 0.006) << s.length;
    EXPECT_GT(error, 0) << s.length;  // something was rounded
  }
}

INSTANTIATE_TEST_SUITE_P(Once, Bfloat16Gradient, testing::Values(Weights{}),
                         [](const auto&) { return "all"; });

}  // namespace
}  // namespace herd
