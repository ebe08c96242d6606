// Kernels that only training needs: the way back through those of table.h, the loss, and the optimizer's step. Same
// letters and the same promise: every output element is summed by one thread in one order, so a training step has the
// same bits at any number of threads. Plain C++20.
//
// Gradients of values are written; gradients of parameters are added to what is there (llm.c's convention for the
// latter, since parameters gather theirs over many batches).
#pragma once

#include <cstdint>

namespace herd {

// The gradient of one matrix, from a range of rows.
struct WeightGradGroup {
  float* dw = nullptr;  // [out, in], rows `stride` floats apart; added to
  float* db = nullptr;  // [out] or null; added to
  std::int64_t out = 0, in = 0, stride = 0;
  std::int64_t row_begin = 0, row_end = 0;
  std::int64_t dy_column = 0;  // first column of dy that belongs to this matrix
};

// dw[o, i] += sum over t of dy[t, dy_column + o] * x[t, i];  db[o] += sum over t of dy[t, dy_column + o].
struct WeightGradArgs {
  const float* x = nullptr;  // [T, in], rows x_stride floats apart
  std::int64_t x_stride = 0;
  const float* dy = nullptr;  // [T, ...], rows dy_stride floats apart
  std::int64_t dy_stride = 0;
  const WeightGradGroup* groups = nullptr;  // write disjoint dw
  std::int64_t num_groups = 0;
};

// With r = 1 / sqrt(mean(x^2) + eps), n = x r, g = dy * weight:  dx = r (g - n mean(g n)),  dw += sum over t of dy n.
struct RmsNormGradArgs {
  const float* x = nullptr;       // [T, D]
  const float* weight = nullptr;  // [D] or null for 1
  const float* dy = nullptr;      // [T, D]
  float* dx = nullptr;            // [T, D]; may be dy
  float* dw = nullptr;            // [D] or null; added to; then dx may not be dy
  float* rows = nullptr;          // [T] scratch
  std::int64_t T = 0, D = 0;
  float eps = 0;
};

// With n = (x - mean) r, r = 1 / sqrt(variance + eps), g = dy * weight:
//   dx = r (g - mean(g) - n mean(g n)),  dw += sum of dy n,  db += sum of dy.
struct LayerNormGradArgs {
  const float* x = nullptr;       // [T, D]
  const float* weight = nullptr;  // [D]
  const float* dy = nullptr;      // [T, D]
  float* dx = nullptr;            // [T, D]; not dy
  float* dw = nullptr;            // [D] or null; added to
  float* db = nullptr;            // [D] or null; added to
  float* rows = nullptr;          // [2 T] scratch
  std::int64_t T = 0, D = 0;
  float eps = 0;
};

// y = silu(gate) up:  dup = dy silu(gate),  dgate = dy up s (1 + gate (1 - s)) with s = sigmoid(gate).
struct SiluMulGradArgs {
  const float* gate_up = nullptr;  // [T, 2I]
  const float* dy = nullptr;       // [T, I]
  float* d_gate_up = nullptr;      // [T, 2I]
  std::int64_t T = 0, I = 0;
};

// dx = dy (Phi(x) + x phi(x)), Phi and phi the normal distribution and its density.
struct GeluGradArgs {
  const float* x = nullptr;   // [count]
  const float* dy = nullptr;  // [count]
  float* dx = nullptr;        // [count]; may be dy
  std::int64_t count = 0;
};

// Rows [begin, end) that see each other: all of them, or each the ones up to itself.
struct AttendSegment {
  std::int64_t begin = 0, end = 0;
};

// Back through o = softmax(scale q k^T) v within segments; the weights are computed again from q and k.
// dk and dv are sums over the query heads of a group, in order.
struct AttendGradArgs {
  const float* q = nullptr;                 // [T, N, d]
  const float* k = nullptr;                 // [T, G, d]
  const float* v = nullptr;                 // [T, G, d]
  const float* d_out = nullptr;             // [T, N, d]
  float* dq = nullptr;                      // [T, N, d]
  float* dk = nullptr;                      // [T, G, d]
  float* dv = nullptr;                      // [T, G, d]
  const AttendSegment* segments = nullptr;  // disjoint
  std::int64_t num_segments = 0;
  std::int64_t N = 0, G = 0, d = 0;
  float scale = 0;
  bool causal = true;
};

// Back through y[r] = x[token] * score[token, choice]:
//   dx[t] = sum over k of score[t, k] dy[row[t, k]],  dscore[t, k] = x[t] . dy[row[t, k]].
struct GatherScaledGradArgs {
  const float* x = nullptr;           // [T, D]
  const float* dy = nullptr;          // [R, D]
  const std::int32_t* row = nullptr;  // [T, K]
  const float* score = nullptr;       // [T, K]
  float* dx = nullptr;                // [T, D]
  float* dscore = nullptr;            // [T, K]
  std::int64_t T = 0, K = 0, D = 0;
};

// table[row[r]] += x[r], in order of r: the gradient of an embedding, and of every gather.
struct ScatterRowsArgs {
  const float* x = nullptr;           // [R, D]
  const std::int32_t* row = nullptr;  // [R]
  float* table = nullptr;             // [rows, D]; added to
  std::int64_t R = 0, D = 0;
};

// loss[t] = -log softmax(logits[t])[target[t]], and in place of the logits weight[t] (softmax - one hot): the gradient
// of sum over t of weight[t] loss[t]. Rows of weight 0 get loss 0, gradient 0 and are not looked at.
struct CrossEntropyArgs {
  float* logits = nullptr;               // [T, V]; becomes the gradient
  const std::int32_t* target = nullptr;  // [T]
  const float* weight = nullptr;         // [T]
  float* loss = nullptr;                 // [T]
  std::int64_t T = 0, V = 0;
};

// One step of AdamW (Loshchilov & Hutter 2019), decay decoupled:
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  with g = factor * gradient
//   w -= rate ((m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + eps) + decay w)
// and the gradient becomes zero.
struct AdamWArgs {
  float* w = nullptr;         // [count]
  float* gradient = nullptr;  // [count]
  float* m = nullptr;         // [count]
  float* v = nullptr;         // [count]
  std::int64_t count = 0;
  float factor = 1;  // clipping
  float rate = 0, beta1 = 0, beta2 = 0, eps = 0, decay = 0;
  float correction1 = 1;  // 1 / (1 - beta1^step)
  float correction2 = 1;  // 1 / (1 - beta2^step)
};

// sum[b] = sum of x^2 over the b-th piece of `squares_per_piece` numbers; the caller adds the pieces in order.
inline constexpr std::int64_t squares_per_piece = 16384;
struct SumSquaresArgs {
  const float* x = nullptr;  // [count]
  double* sum = nullptr;     // [ceil(count / squares_per_piece)]
  std::int64_t count = 0;
};

}  // namespace herd
