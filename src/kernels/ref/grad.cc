// The way back through everything that treats rows by themselves, and the optimizer, as formulas say it.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ref/ref.h"

namespace herd::ref {
namespace {

double sigmoid_of(double x) { return 1.0 / (1.0 + std::exp(-x)); }

}  // namespace

void weight_grad(const WeightGradArgs& args, const Lane&) {
  for (std::int64_t g = 0; g < args.num_groups; ++g) {
    const WeightGradGroup& group = args.groups[g];
    for (std::int64_t o = 0; o < group.out; ++o) {
      const float* dy = args.dy + group.dy_column + o;
      for (std::int64_t i = 0; i < group.in; ++i) {
        double sum = 0;
        for (std::int64_t t = group.row_begin; t < group.row_end; ++t)
          sum += double{dy[t * args.dy_stride]} * double{args.x[t * args.x_stride + i]};
        group.dw[o * group.stride + i] += static_cast<float>(sum);
      }
      if (group.db == nullptr) continue;
      double sum = 0;
      for (std::int64_t t = group.row_begin; t < group.row_end; ++t)
        sum += double{dy[t * args.dy_stride]};
      group.db[o] += static_cast<float>(sum);
    }
  }
}

void rms_norm_grad(const RmsNormGradArgs& args, const Lane&) {
  std::vector<double> dw(static_cast<std::size_t>(args.D));
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float *x = args.x + t * args.D, *dy = args.dy + t * args.D;
    const auto weight = [&](std::int64_t i) {
      return args.weight == nullptr ? 1.0 : double{args.weight[i]};
    };
    double squares = 0, dot = 0;
    for (std::int64_t i = 0; i < args.D; ++i) squares += double{x[i]} * double{x[i]};
    const double r = 1.0 / std::sqrt(squares / static_cast<double>(args.D) + double{args.eps});
    for (std::int64_t i = 0; i < args.D; ++i) dot += double{dy[i]} * weight(i) * double{x[i]} * r;
    dot /= static_cast<double>(args.D);
    for (std::int64_t i = 0; i < args.D; ++i) {
      dw[static_cast<std::size_t>(i)] += double{dy[i]} * double{x[i]} * r;
      args.dx[t * args.D + i] =
          static_cast<float>(r * (double{dy[i]} * weight(i) - double{x[i]} * r * dot));
    }
  }
  if (args.dw == nullptr) return;
  for (std::int64_t i = 0; i < args.D; ++i)
    args.dw[i] += static_cast<float>(dw[static_cast<std::size_t>(i)]);
}

void layer_norm_grad(const LayerNormGradArgs& args, const Lane&) {
  const auto width = static_cast<double>(args.D);
  std::vector<double> dw(static_cast<std::size_t>(args.D)), db(dw);
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float *x = args.x + t * args.D, *dy = args.dy + t * args.D;
    double mean = 0, variance = 0, mean_g = 0, mean_gn = 0;
    for (std::int64_t i = 0; i < args.D; ++i) mean += double{x[i]} / width;
    for (std::int64_t i = 0; i < args.D; ++i)
      variance += (double{x[i]} - mean) * (double{x[i]} - mean) / width;
    const double r = 1.0 / std::sqrt(variance + double{args.eps});
    for (std::int64_t i = 0; i < args.D; ++i) {
      const double g = double{dy[i]} * double{args.weight[i]};
      mean_g += g / width;
      mean_gn += g * (double{x[i]} - mean) * r / width;
    }
    for (std::int64_t i = 0; i < args.D; ++i) {
      const double n = (double{x[i]} - mean) * r;
      dw[static_cast<std::size_t>(i)] += double{dy[i]} * n;
      db[static_cast<std::size_t>(i)] += double{dy[i]};
      args.dx[t * args.D + i] =
          static_cast<float>(r * (double{dy[i]} * double{args.weight[i]} - mean_g - n * mean_gn));
    }
  }
  for (std::int64_t i = 0; i < args.D; ++i) {
    if (args.dw != nullptr) args.dw[i] += static_cast<float>(dw[static_cast<std::size_t>(i)]);
    if (args.db != nullptr) args.db[i] += static_cast<float>(db[static_cast<std::size_t>(i)]);
  }
}

void silu_mul_grad(const SiluMulGradArgs& args, const Lane&) {
  for (std::int64_t t = 0; t < args.T; ++t)
    for (std::int64_t i = 0; i < args.I; ++i) {
      const double gate = args.gate_up[t * 2 * args.I + i];
      const double up = args.gate_up[t * 2 * args.I + args.I + i];
      const double dy = args.dy[t * args.I + i], s = sigmoid_of(gate);
      args.d_gate_up[t * 2 * args.I + i] =
          static_cast<float>(dy * up * s * (1.0 + gate * (1.0 - s)));
      args.d_gate_up[t * 2 * args.I + args.I + i] = static_cast<float>(dy * gate * s);
    }
}

void gelu_grad(const GeluGradArgs& args, const Lane&) {
  for (std::int64_t i = 0; i < args.count; ++i) {
    const double x = args.x[i];
    const double below = 0.5 * (1.0 + std::erf(x * std::sqrt(0.5)));
    const double density = std::exp(-0.5 * x * x) / std::sqrt(2.0 * std::acos(-1.0));
    args.dx[i] = static_cast<float>(double{args.dy[i]} * (below + x * density));
  }
}

void gather_scaled_grad(const GatherScaledGradArgs& args, const Lane&) {
  for (std::int64_t t = 0; t < args.T; ++t) {
    for (std::int64_t k = 0; k < args.K; ++k) {
      const float* dy = args.dy + args.row[t * args.K + k] * args.D;
      double dot = 0;
      for (std::int64_t i = 0; i < args.D; ++i)
        dot += double{args.x[t * args.D + i]} * double{dy[i]};
      args.dscore[t * args.K + k] = static_cast<float>(dot);
    }
    for (std::int64_t i = 0; i < args.D; ++i) {
      double sum = 0;
      for (std::int64_t k = 0; k < args.K; ++k)
        sum += double{args.score[t * args.K + k]} *
               double{args.dy[args.row[t * args.K + k] * args.D + i]};
      args.dx[t * args.D + i] = static_cast<float>(sum);
    }
  }
}

void scatter_rows(const ScatterRowsArgs& args, const Lane&) {
  for (std::int64_t r = 0; r < args.R; ++r)
    for (std::int64_t i = 0; i < args.D; ++i)
      args.table[args.row[r] * args.D + i] += args.x[r * args.D + i];
}

void cross_entropy(const CrossEntropyArgs& args, const Lane&) {
  for (std::int64_t t = 0; t < args.T; ++t) {
    float* row = args.logits + t * args.V;
    args.loss[t] = 0;
    if (args.weight[t] == 0) {
      std::fill_n(row, args.V, 0.0f);
      continue;
    }
    const double largest = *std::max_element(row, row + args.V);
    double total = 0;
    for (std::int64_t i = 0; i < args.V; ++i) total += std::exp(double{row[i]} - largest);
    args.loss[t] = static_cast<float>(std::log(total) + largest - double{row[args.target[t]]});
    for (std::int64_t i = 0; i < args.V; ++i) {
      const double p = std::exp(double{row[i]} - largest) / total;
      row[i] = static_cast<float>(double{args.weight[t]} * (p - (i == args.target[t] ? 1.0 : 0.0)));
    }
  }
}

void adamw(const AdamWArgs& args, const Lane&) {
  for (std::int64_t i = 0; i < args.count; ++i) {
    const double g = double{args.gradient[i]} * double{args.factor};
    const double m = double{args.beta1} * double{args.m[i]} + (1.0 - double{args.beta1}) * g;
    const double v = double{args.beta2} * double{args.v[i]} + (1.0 - double{args.beta2}) * g * g;
    const double step =
        m * double{args.correction1} / (std::sqrt(v * double{args.correction2}) + double{args.eps});
    args.m[i] = static_cast<float>(m);
    args.v[i] = static_cast<float>(v);
    args.w[i] = static_cast<float>(
        double{args.w[i]} - double{args.rate} * (step + double{args.decay} * double{args.w[i]}));
    args.gradient[i] = 0;
  }
}

void sum_squares(const SumSquaresArgs& args, const Lane&) {
  for (std::int64_t begin = 0; begin < args.count; begin += squares_per_piece) {
    double sum = 0;
    for (std::int64_t i = begin; i < std::min(args.count, begin + squares_per_piece); ++i)
      sum += double{args.x[i]} * double{args.x[i]};
    args.sum[begin / squares_per_piece] = sum;
  }
}

}  // namespace herd::ref
