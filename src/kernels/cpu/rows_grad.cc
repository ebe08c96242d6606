// The way back through what treats rows by themselves. Gradients of values are shared out by rows; gradients of
// parameters by columns, so that each number is summed over all rows by one thread, in their order.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rows_grad.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/part-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t columns_per_item = 64;

// Rows of `width` numbers in pieces worth a thread's waking.
template <typename Work>
void share_rows(const Lane& lane, std::int64_t rows, std::int64_t width, const Work& work) {
  const std::int64_t grain = std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(1, width));
  run(lane, rows, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t t = begin; t < end; ++t) work(t);
  });
}

// What each column's sum over the rows adds: add(row t, column, up to a vector of columns) -> vector.
template <typename Term>
void add_columns(const Lane& lane, std::int64_t T, std::int64_t D, float* out, const Term& term) {
  if (out == nullptr) return;
  const std::int64_t lanes = float_lanes();
  run(lane, (D + columns_per_item - 1) / columns_per_item, 1,
      [&](std::int64_t begin, std::int64_t end, int) {
        const std::int64_t last = std::min(D, end * columns_per_item);
        for (std::int64_t i = begin * columns_per_item; i < last; i += lanes) {
          FloatVec sum = hn::Zero(Floats());
          for (std::int64_t t = 0; t < T; ++t) sum = hn::Add(sum, term(t, i, last - i));
          store_some(hn::Add(sum, load_some(out + i, last - i)), out + i, last - i);
        }
      });
}

void rms_norm_grad(const RmsNormGradArgs& args, const Lane& lane) {
  const Floats f;
  const std::int64_t lanes = float_lanes(), D = args.D;
  const auto weight = [&](std::int64_t i) {
    return args.weight == nullptr ? hn::Set(f, 1.0f) : load_some(args.weight + i, D - i);
  };
  share_rows(lane, args.T, D, [&](std::int64_t t) {
    const float *x = args.x + t * D, *dy = args.dy + t * D;
    FloatVec squares = hn::Zero(f), dot = hn::Zero(f);
    for (std::int64_t i = 0; i < D; i += lanes) {
      const FloatVec a = load_some(x + i, D - i);
      squares = hn::MulAdd(a, a, squares);
      dot = hn::MulAdd(a, hn::Mul(load_some(dy + i, D - i), weight(i)), dot);
    }
    const float r = 1.0f / std::sqrt(sum_of(squares) / static_cast<float>(D) + args.eps);
    const FloatVec scale = hn::Set(f, r);
    const FloatVec pull = hn::Set(f, r * r * r * sum_of(dot) / static_cast<float>(D));
    for (std::int64_t i = 0; i < D; i += lanes) {
      const FloatVec g = hn::Mul(load_some(dy + i, D - i), weight(i));
      const FloatVec back = hn::Mul(load_some(x + i, D - i), pull);
      store_some(hn::MulSub(g, scale, back), args.dx + t * D + i, D - i);
    }
    args.rows[t] = r;
  });
  add_columns(lane, args.T, D, args.dw, [&](std::int64_t t, std::int64_t i, std::int64_t left) {
    const FloatVec x = hn::Mul(load_some(args.x + t * D + i, left), hn::Set(f, args.rows[t]));
    return hn::Mul(x, load_some(args.dy + t * D + i, left));
  });
}

void layer_norm_grad(const LayerNormGradArgs& args, const Lane& lane) {
  const Floats f;
  const std::int64_t lanes = float_lanes(), D = args.D;
  const auto width = static_cast<float>(D);
  share_rows(lane, args.T, D, [&](std::int64_t t) {
    const float *x = args.x + t * D, *dy = args.dy + t * D;
    FloatVec sum = hn::Zero(f);
    for (std::int64_t i = 0; i < D; i += lanes) sum = hn::Add(sum, load_some(x + i, D - i));
    const float mean = sum_of(sum) / width;
    double squares = 0;  // about the mean: the rest of a part vector must not count
    for (std::int64_t i = 0; i < D; ++i) squares += double{x[i] - mean} * double{x[i] - mean};
    const float r = static_cast<float>(1.0 / std::sqrt(squares / double{width} + double{args.eps}));
    FloatVec sum_g = hn::Zero(f), sum_gn = hn::Zero(f);
    const FloatVec centre = hn::Set(f, mean), scale = hn::Set(f, r);
    for (std::int64_t i = 0; i < D; i += lanes) {
      const FloatVec g = hn::Mul(load_some(dy + i, D - i), load_some(args.weight + i, D - i));
      const FloatVec n = hn::Mul(hn::Sub(load_some(x + i, D - i), centre), scale);
      sum_g = hn::Add(sum_g, g);
      sum_gn = hn::MulAdd(g, n, sum_gn);
    }
    const FloatVec mean_g = hn::Set(f, sum_of(sum_g) / width);
    const FloatVec mean_gn = hn::Set(f, sum_of(sum_gn) / width);
    for (std::int64_t i = 0; i < D; i += lanes) {
      const FloatVec g = hn::Mul(load_some(dy + i, D - i), load_some(args.weight + i, D - i));
      const FloatVec n = hn::Mul(hn::Sub(load_some(x + i, D - i), centre), scale);
      const FloatVec dx = hn::Mul(scale, hn::NegMulAdd(n, mean_gn, hn::Sub(g, mean_g)));
      store_some(dx, args.dx + t * D + i, D - i);
    }
    args.rows[2 * t] = mean;
    args.rows[2 * t + 1] = r;
  });
  add_columns(lane, args.T, D, args.dw, [&](std::int64_t t, std::int64_t i, std::int64_t left) {
    const FloatVec centred =
        hn::Sub(load_some(args.x + t * D + i, left), hn::Set(f, args.rows[2 * t]));
    const FloatVec n = hn::Mul(centred, hn::Set(f, args.rows[2 * t + 1]));
    return hn::Mul(n, load_some(args.dy + t * D + i, left));
  });
  add_columns(lane, args.T, D, args.db, [&](std::int64_t t, std::int64_t i, std::int64_t left) {
    return load_some(args.dy + t * D + i, left);
  });
}

void silu_mul_grad(const SiluMulGradArgs& args, const Lane& lane) {
  const Floats f;
  const std::int64_t lanes = float_lanes(), I = args.I;
  const FloatVec one = hn::Set(f, 1.0f);
  share_rows(lane, args.T, 4 * I, [&](std::int64_t t) {
    const float *from = args.gate_up + t * 2 * I, *dy = args.dy + t * I;
    float* to = args.d_gate_up + t * 2 * I;
    for (std::int64_t i = 0; i < I; i += lanes) {
      const FloatVec gate = load_some(from + i, I - i), up = load_some(from + I + i, I - i);
      const FloatVec d = load_some(dy + i, I - i);
      // The library's exp wraps around beyond its range; at 100 it is infinite, as it must be from there on.
      const FloatVec e = hn::Exp(f, hn::Min(hn::Neg(gate), hn::Set(f, 100.0f)));
      const FloatVec s = hn::Div(one, hn::Add(one, e));
      const FloatVec slope = hn::Mul(s, hn::MulAdd(gate, hn::Sub(one, s), one));
      store_some(hn::Mul(hn::Mul(d, up), slope), to + i, I - i);
      store_some(hn::Mul(d, hn::Mul(gate, s)), to + I + i, I - i);
    }
  });
}

void gather_scaled_grad(const GatherScaledGradArgs& args, const Lane& lane) {
  const Floats f;
  const std::int64_t lanes = float_lanes(), D = args.D, K = args.K;
  share_rows(lane, args.T, 2 * D * K, [&](std::int64_t t) {
    const float* x = args.x + t * D;
    for (std::int64_t k = 0; k < K; ++k) {
      const float* dy = args.dy + args.row[t * K + k] * D;
      const FloatVec score = hn::Set(f, args.score[t * K + k]);
      float* dx = args.dx + t * D;
      FloatVec dot = hn::Zero(f);
      for (std::int64_t i = 0; i < D; i += lanes) {
        const FloatVec d = load_some(dy + i, D - i);
        dot = hn::MulAdd(d, load_some(x + i, D - i), dot);
        const FloatVec before = k == 0 ? hn::Zero(f) : load_some(dx + i, D - i);
        store_some(hn::MulAdd(d, score, before), dx + i, D - i);
      }
      args.dscore[t * K + k] = sum_of(dot);
    }
  });
}

void scatter_rows(const ScatterRowsArgs& args, const Lane& lane) {
  const std::int64_t lanes = float_lanes(), D = args.D;
  run(lane, (D + columns_per_item - 1) / columns_per_item, 1,
      [&](std::int64_t begin, std::int64_t end, int) {
        const std::int64_t first = begin * columns_per_item;
        const std::int64_t last = std::min(D, end * columns_per_item);
        for (std::int64_t r = 0; r < args.R; ++r) {
          float* to = args.table + args.row[r] * D;
          for (std::int64_t i = first; i < last; i += lanes)
            store_some(
                hn::Add(load_some(to + i, last - i), load_some(args.x + r * D + i, last - i)),
                to + i, last - i);
        }
      });
}

void cross_entropy(const CrossEntropyArgs& args, const Lane& lane) {
  const Floats f;
  const std::int64_t lanes = float_lanes(), V = args.V;
  share_rows(lane, args.T, 4 * V, [&](std::int64_t t) {
    float* row = args.logits + t * V;
    args.loss[t] = 0;
    if (args.weight[t] == 0) return static_cast<void>(std::fill_n(row, V, 0.0f));
    FloatVec most = hn::Set(f, row[0]);
    std::int64_t whole = 0;
    for (; whole + lanes <= V; whole += lanes) most = hn::Max(most, hn::LoadU(f, row + whole));
    float largest = hn::GetLane(hn::MaxOfLanes(f, most));
    for (std::int64_t i = whole; i < V; ++i) largest = std::max(largest, row[i]);
    const float wanted = row[args.target[t]];
    const FloatVec shift = hn::Set(f, largest);
    double total = 0;
    for (std::int64_t begin = 0; begin < V; begin += 1024) {  // few roundings in a large vocabulary
      FloatVec sum = hn::Zero(f);
      for (std::int64_t i = begin; i < std::min(V, begin + 1024); i += lanes) {
        const auto inside = hn::FirstN(f, static_cast<std::size_t>(std::min(lanes, V - i)));
        const FloatVec e =
            hn::IfThenElseZero(inside, hn::Exp(f, hn::Sub(load_some(row + i, V - i), shift)));
        store_some(e, row + i, V - i);
        sum = hn::Add(sum, e);
      }
      total += double{sum_of(sum)};
    }
    args.loss[t] = static_cast<float>(std::log(total) + double{largest} - double{wanted});
    const FloatVec factor = hn::Set(f, static_cast<float>(double{args.weight[t]} / total));
    for (std::int64_t i = 0; i < V; i += lanes)
      store_some(hn::Mul(load_some(row + i, V - i), factor), row + i, V - i);
    row[args.target[t]] -= args.weight[t];
  });
}

void adamw(const AdamWArgs& args, const Lane& lane) {
  const Floats f;
  const std::int64_t lanes = float_lanes();
  const FloatVec factor = hn::Set(f, args.factor), rate = hn::Set(f, args.rate);
  const FloatVec beta1 = hn::Set(f, args.beta1), rest1 = hn::Set(f, 1.0f - args.beta1);
  const FloatVec beta2 = hn::Set(f, args.beta2), rest2 = hn::Set(f, 1.0f - args.beta2);
  const FloatVec correction1 = hn::Set(f, args.correction1);
  const FloatVec correction2 = hn::Set(f, args.correction2);
  const FloatVec eps = hn::Set(f, args.eps), decay = hn::Set(f, args.decay);
  constexpr std::int64_t piece = 4096;
  run(lane, (args.count + piece - 1) / piece, 4, [&](std::int64_t begin, std::int64_t end, int) {
    const std::int64_t last = std::min(args.count, end * piece);
    for (std::int64_t i = begin * piece; i < last; i += lanes) {
      const std::int64_t left = last - i;
      const FloatVec g = hn::Mul(load_some(args.gradient + i, left), factor);
      const FloatVec m = hn::MulAdd(beta1, load_some(args.m + i, left), hn::Mul(rest1, g));
      const FloatVec v =
          hn::MulAdd(beta2, load_some(args.v + i, left), hn::Mul(rest2, hn::Mul(g, g)));
      const FloatVec root = hn::Add(hn::Sqrt(hn::Mul(v, correction2)), eps);
      const FloatVec w = load_some(args.w + i, left);
      const FloatVec step = hn::MulAdd(decay, w, hn::Div(hn::Mul(m, correction1), root));
      store_some(hn::NegMulAdd(rate, step, w), args.w + i, left);
      store_some(m, args.m + i, left);
      store_some(v, args.v + i, left);
      store_some(hn::Zero(f), args.gradient + i, left);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "kernels/ref/ref.h"

namespace herd::cpu {

HWY_EXPORT(rms_norm_grad);
HWY_EXPORT(layer_norm_grad);
HWY_EXPORT(silu_mul_grad);
HWY_EXPORT(gather_scaled_grad);
HWY_EXPORT(scatter_rows);
HWY_EXPORT(cross_entropy);
HWY_EXPORT(adamw);

void rms_norm_grad(const RmsNormGradArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(rms_norm_grad)(args, lane);
}
void layer_norm_grad(const LayerNormGradArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(layer_norm_grad)(args, lane);
}
void silu_mul_grad(const SiluMulGradArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(silu_mul_grad)(args, lane);
}
void gather_scaled_grad(const GatherScaledGradArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(gather_scaled_grad)(args, lane);
}
void scatter_rows(const ScatterRowsArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(scatter_rows)(args, lane);
}
void cross_entropy(const CrossEntropyArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(cross_entropy)(args, lane);
}
void adamw(const AdamWArgs& args, const Lane& lane) { HWY_DYNAMIC_DISPATCH(adamw)(args, lane); }

// The reference's arithmetic, shared out: it moves little beside the rest.
void sum_squares(const SumSquaresArgs& args, const Lane& lane) {
  const std::int64_t pieces = (args.count + squares_per_piece - 1) / squares_per_piece;
  run(lane, pieces, 1, [&](std::int64_t begin, std::int64_t end, int) {
    const std::int64_t first = begin * squares_per_piece;
    ref::sum_squares({.x = args.x + first,
                      .sum = args.sum + begin,
                      .count = std::min(args.count, end * squares_per_piece) - first},
                     {});
  });
}

}  // namespace herd::cpu
#endif
