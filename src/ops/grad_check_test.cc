// Every op that learns, at awkward shapes, against differences. One test an op: tidy looks for its name here.
#include "ops/grad_check.h"

#include <gtest/gtest.h>

#include <array>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/rope.h"
#include "ops/route.h"
#include "ops/tape.h"

namespace herd {
namespace {

constexpr double tolerance = 3e-4;

class GradCheckTest : public ::testing::Test {
 protected:
  Tensor random(Shape shape, double size = 1.0) {
    const Tensor x = ctx_.empty(shape);
    for (float& number : x.as<float>())
      number = static_cast<float>(size * (2 * uniform(3, counter_++) - 1));
    return x;
  }

  static Matrix matrix(const Tensor& weights) {
    return {.data = weights.data,
            .out = weights.shape[0],
            .in = weights.shape[1],
            .stride = weights.shape[1]};
  }

  void expect_agreement(const Op& op, const std::vector<Tensor>& inputs,
                        const std::vector<std::size_t>& leaves = {}, double bound = tolerance) {
    const GradCheck found = grad_check(ctx_, op, inputs, leaves);
    EXPECT_LE(found.worst, bound) << "input " << found.input << ", number " << found.number
                                  << ": tape " << found.by_tape << ", difference "
                                  << found.by_difference;
    EXPECT_GT(found.worst, 0.0) << "nothing was compared";
  }

  ThreadPool pool_{2};
  Context ctx_{ref_kernels(), pool_};
  std::uint64_t counter_ = 0;
};

TEST_F(GradCheckTest, FindsAWrongFormula) {
  const Op wrong = [](Context& ctx, const std::vector<Tensor>& in) {
    const Tensor y = ctx.like(in[0]);
    for (std::size_t i = 0; i < y.as<float>().size(); ++i)
      y.as<float>()[i] = in[0].as<float>()[i] * in[0].as<float>()[i];
    if (ctx.tape != nullptr)
      ctx.tape->record(y, {in[0].data}, [tape = ctx.tape, x = in[0]](const Tensor& dy) {
        tape->share(x, dy);  // as if it were y = x
      });
    return y;
  };
  EXPECT_GT(grad_check(ctx_, wrong, {random({3, 5})}).worst, 0.1);
}

TEST_F(GradCheckTest, Add) {
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        return add(ctx, add(ctx, in[0], in[1]), in[0]);  // one of them twice
      },
      {random({3, 7}), random({3, 7})});
}

// What a long chain of gradients needs does not grow with it: of maps, of products with what is learned, and of sums
// that go on beside what they add.
TEST_F(GradCheckTest, MemoryOfGradientsIsUsedAgain) {
  constexpr std::int64_t rows = 64, width = 256;
  using Layer = std::function<Tensor(Context&, const Tensor& x, const Matrix& weight)>;
  const auto bytes_after = [&](int length, const Layer& layer) {
    Context ctx(cpu_kernels(), pool_);
    const auto filled = [&](std::int64_t count, float value) {
      const std::span<float> numbers = ctx.array<float>(count);
      std::ranges::fill(numbers, value);
      return numbers.data();
    };
    const Tensor start{filled(rows * width, 0.1f), DType::f32, {rows, width}};
    const Matrix weight{
        .data = filled(width * width, 0.01f), .out = width, .in = width, .stride = width};
    const Leaves leaves{{start.data, filled(rows * width, 0)},
                        {weight.data, filled(width * width, 0)}};
    Tape tape(ctx, leaves);
    ctx.tape = &tape;
    Tensor x = start;
    for (int i = 0; i < length; ++i) x = layer(ctx, x, weight);
    ctx.tape = nullptr;
    tape.give(x, ctx.like(x));
    const std::size_t before = ctx.arena.bytes_reserved();
    tape.backward();
    return ctx.arena.bytes_reserved() - before;
  };
  const Layer layers[] = {
      [](Context& ctx, const Tensor& x, const Matrix&) { return gelu(ctx, x); },
      [](Context& ctx, const Tensor& x, const Matrix& w) { return matmul(ctx, x, w, {}); },
      [](Context& ctx, const Tensor& x, const Matrix& w) {
        return add(ctx, x, gelu(ctx, matmul(ctx, x, w, {})));
      }};
  for (const Layer& layer : layers)  // a block of the arena at most
    EXPECT_LE(bytes_after(600, layer), bytes_after(100, layer) + (std::size_t{16} << 20));
}

TEST_F(GradCheckTest, SiluMul) {
  expect_agreement([](Context& ctx, const std::vector<Tensor>& in) { return silu_mul(ctx, in[0]); },
                   {random({3, 10}, 3)});
}

TEST_F(GradCheckTest, Gelu) {
  expect_agreement([](Context& ctx, const std::vector<Tensor>& in) { return gelu(ctx, in[0]); },
                   {random({5, 3}, 3)});
}

TEST_F(GradCheckTest, Sigmoid) {
  expect_agreement([](Context& ctx, const std::vector<Tensor>& in) { return sigmoid(ctx, in[0]); },
                   {random({4, 1}, 3)});
}

TEST_F(GradCheckTest, Beside) {
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        return beside(ctx, beside(ctx, in[0], in[1]), in[0]);
      },
      {random({3, 5}), random({3, 2})});
}

TEST_F(GradCheckTest, ScaleRows) {
  static constexpr std::array factor{0.5f, -2.0f, 0.0f};
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) { return scale_rows(ctx, in[0], factor); },
      {random({3, 2, 3})});
}

TEST_F(GradCheckTest, RmsNorm) {
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) { return rms_norm(ctx, in[0], in[1], 0.1f); },
      {random({5, 7}, 2), random({7})}, {1});
}

TEST_F(GradCheckTest, UnitNorm) {
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) { return unit_norm(ctx, in[0], 0.1f); },
      {random({3, 2, 6}, 2)});
}

TEST_F(GradCheckTest, LayerNorm) {
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        return layer_norm(ctx, in[0], in[1], in[2], 0.1f);
      },
      {random({4, 9}, 2), random({9}), random({9})}, {1, 2});
}

TEST_F(GradCheckTest, Rope) {
  static constexpr std::array<std::int64_t, 3> position{0, 7, 100};
  static constexpr std::array frequency{1.0f, 0.1f, 0.03f};
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        return rope(ctx, in[0], rope_angles(ctx, position, frequency));
      },
      {random({3, 2, 6})});
}

TEST_F(GradCheckTest, Matmul) {
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        return matmul(ctx, in[0], matrix(in[1]), in[2]);
      },
      {random({5, 3}), random({7, 3}), random({7})}, {1, 2});
}

TEST_F(GradCheckTest, MatmulWithFrozenWeights) {
  const Tensor frozen = random({4, 3});
  expect_agreement(
      [frozen](Context& ctx, const std::vector<Tensor>& in) {
        return matmul(ctx, in[0], matrix(frozen));
      },
      {random({2, 3})});
}

TEST_F(GradCheckTest, MatmulWithFrozenScaledWeights) {
  const Tensor frozen = random({4, 3});
  static constexpr std::array scale{0.5f, 2.0f, -1.0f, 0.25f};
  static constexpr std::array<std::int64_t, 3> begin{0, 3, 5};
  expect_agreement(
      [frozen](Context& ctx, const std::vector<Tensor>& in) {
        Matrix scaled = matrix(frozen);
        scaled.scale = scale.data();
        const std::array first{scaled, matrix(frozen)}, second{matrix(frozen), scaled};
        return matmul_by_expert(ctx, in[0], first, second, begin);
      },
      {random({5, 3})});
}

TEST_F(GradCheckTest, MatmulSideBySide) {
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        return matmul_side_by_side(ctx, in[0], {matrix(in[1]), matrix(in[2])});
      },
      {random({3, 5}), random({4, 5}), random({6, 5})}, {1, 2});
}

TEST_F(GradCheckTest, MatmulByExpert) {
  static constexpr std::array<std::int64_t, 4> begin{0, 2, 2, 5};  // the second has no rows
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        const std::array first{matrix(in[1]), matrix(in[2]), matrix(in[3])};
        const std::array second{matrix(in[3]), matrix(in[1]), matrix(in[2])};
        return matmul_by_expert(ctx, in[0], first, second, begin);
      },
      {random({5, 3}), random({2, 3}), random({2, 3}), random({2, 3})}, {1, 2, 3});
}

// The first expert's two matrices lie one after the other and become one on the way back, the second's do not.
TEST_F(GradCheckTest, MatmulByExpertWithSomePairsAdjacent) {
  static constexpr std::array<std::int64_t, 3> begin{0, 2, 5};
  const Tensor both = random({4, 3}), apart_1 = random({2, 3}), apart_2 = random({2, 3});
  Matrix first = matrix(both), next = matrix(both);
  first.out = next.out = 2;
  next.data = both.as<float>().data() + 2 * 3;
  // Memory that was used before, as in a step of training: what is not written must not be read.
  {
    const Scratch scratch(ctx_);
    std::ranges::fill(ctx_.empty({4096}).as<float>(), 1e6f);
  }
  expect_agreement(
      [=](Context& ctx, const std::vector<Tensor>& in) {
        return matmul_by_expert(ctx, in[0], std::array{first, matrix(apart_1)},
                                std::array{next, matrix(apart_2)}, begin);
      },
      {random({5, 3})});
}

// The same with rows enough to be rounded to bfloat16, where the processor can: products of one call read equally many
// columns of dy.
TEST_F(GradCheckTest, RoundedMatmulByExpertWithSomePairsAdjacent) {
  static constexpr std::array<std::int64_t, 3> begin{0, 40, 80};
  const Tensor weights = random({160, 48}), x = random({80, 48}), dy = random({80, 64});
  const auto from_row = [&](std::int64_t row) {
    Matrix one = matrix(weights);
    one.out = 32;
    one.data = weights.as<float>().data() + row * 48;
    return one;
  };
  const std::array first{from_row(0), from_row(70)}, second{from_row(32), from_row(110)};
  const auto gradient = [&](bool rounds) {
    Context ctx(cpu_kernels(), pool_);
    ctx.lane.bfloat16 = rounds;
    const Leaves none;
    Tape tape(ctx, none);
    tape.want(x);
    ctx.tape = &tape;
    const Tensor y = matmul_by_expert(ctx, x, first, second, begin);
    tape.share(y, dy);
    tape.backward();
    ctx.tape = nullptr;
    const auto dx = tape.gradient(x).as<float>();
    return std::vector<float>(dx.begin(), dx.end());
  };
  const std::vector<float> exact = gradient(false), rounded = gradient(true);
  ASSERT_EQ(exact.size(), 80u * 48u);
  for (std::size_t i = 0; i < exact.size(); ++i) ASSERT_NEAR(rounded[i], exact[i], 0.1) << i;
}

TEST_F(GradCheckTest, TopK) {
  const Tensor logits = ctx_.empty({3, 4});  // far enough from each other that no choice changes
  for (std::size_t i = 0; i < 12; ++i) logits.as<float>()[i] = static_cast<float>(i * 5 % 12);
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) { return top_k(ctx, in[0], 2).score_TK; },
      {logits});
}

// Tokens 0 to 3, two choices each among three experts.
Routes some_routes(Context& ctx) {
  const Tensor expert_TK = ctx.empty({4, 2}, DType::i32);
  const std::array<std::int32_t, 8> chosen{2, 0, 0, 1, 2, 1, 0, 2};
  std::ranges::copy(chosen, expert_TK.as<std::int32_t>().begin());
  return group_by_expert(expert_TK, 3);
}

TEST_F(GradCheckTest, GatherScaled) {
  const Routes routes = some_routes(ctx_);
  expect_agreement(
      [&](Context& ctx, const std::vector<Tensor>& in) {
        return gather_scaled(ctx, in[0], routes, in[1]);
      },
      {random({4, 5}), random({4, 2})});
}

TEST_F(GradCheckTest, ScatterAdd) {
  const Routes routes = some_routes(ctx_);
  expect_agreement(
      [&](Context& ctx, const std::vector<Tensor>& in) {
        return scatter_add(ctx, in[0], in[1], routes);
      },
      {random({4, 5}), random({8, 5})});
}

TEST_F(GradCheckTest, Embed) {
  static constexpr std::array<std::int32_t, 4> row{2, 0, 2, 1};  // one of them twice
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) { return embed(ctx, matrix(in[0]), row); },
      {random({4, 3})}, {0});
}

TEST_F(GradCheckTest, GatherRows) {
  static constexpr std::array<std::int32_t, 5> row{2, 0, 2, 2, 1};
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) { return gather_rows(ctx, in[0], row); },
      {random({4, 3})});
}

TEST_F(GradCheckTest, ReplaceRows) {
  static constexpr std::array<std::int32_t, 2> row{3, 1};
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        return replace_rows(ctx, in[0], in[1], row);
      },
      {random({5, 3}), random({2, 3})});
}

// Two heads a group, segments shorter and longer than a block of 64 keys.
TEST_F(GradCheckTest, Attend) {
  static constexpr std::array<AttendSegment, 3> segments{{{0, 1}, {1, 6}, {6, 10}}};
  for (const bool causal : {true, false})
    expect_agreement(
        [causal](Context& ctx, const std::vector<Tensor>& in) {
          return attend(ctx, in[0], keys_within(in[1], in[2], segments, causal), 0.7f);
        },
        {random({10, 4, 3}), random({10, 2, 3}), random({10, 2, 3})});
}

TEST_F(GradCheckTest, AttendOverSeveralBlocks) {
  static constexpr std::array<AttendSegment, 1> segments{{{0, 70}}};
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        return attend(ctx, in[0], keys_within(in[1], in[2], segments, true), 1.0f);
      },
      {random({70, 1, 2}, 2), random({70, 1, 2}, 2), random({70, 1, 2})}, {}, 1e-3);
}

// The loss gives its gradient by itself, so it is looked at directly.
TEST_F(GradCheckTest, CrossEntropy) {
  static constexpr std::array<std::int32_t, 3> target{4, 0, 2};
  static constexpr std::array weight{0.5f, 0.0f, 2.0f};
  const Tensor h = random({3, 4}), head = random({6, 4});
  const Tensor d_head = ctx_.like(head);
  std::ranges::fill(d_head.as<float>(), 0.0f);
  const Leaves leaves{{head.data, d_head.as<float>().data()}};
  Tape tape(ctx_, leaves);
  tape.want(h);
  ctx_.tape = &tape;
  cross_entropy(ctx_, h, matrix(head), target, weight);
  ctx_.tape = nullptr;
  const auto total = [&] {
    const Tensor loss = cross_entropy(ctx_, h, matrix(head), target, weight);
    double sum = 0;
    for (std::size_t i = 0; i < 3; ++i) sum += double{weight[i]} * double{loss.as<float>()[i]};
    return sum;
  };
  for (const auto& [x, gradient] : {std::pair{h, tape.gradient(h)}, {head, d_head}})
    for (std::size_t i = 0; i < x.as<float>().size(); ++i) {
      float& number = x.as<float>()[i];
      const float before = number;
      const auto moved = [&](float by) {
        number = before + by;
        return total();
      };
      const double wanted =
          (moved(-0.04f) - 8 * moved(-0.02f) + 8 * moved(0.02f) - moved(0.04f)) / 0.24;
      number = before;
      EXPECT_NEAR(double{gradient.as<float>()[i]}, wanted, 1e-4) << i;
    }
}

TEST_F(GradCheckTest, Recompute) {
  ctx_.recomputes = true;
  expect_agreement(
      [](Context& ctx, const std::vector<Tensor>& in) {
        const Tensor weights = in[1];
        const Tensor x = recompute(ctx, add(ctx, in[0], in[0]), [&ctx, weights](const Tensor& h) {
          return silu_mul(ctx, matmul(ctx, h, matrix(weights)));
        });
        return add(ctx, x, in[0]);
      },
      {random({3, 4}), random({8, 4})}, {1});
}

}  // namespace
}  // namespace herd
