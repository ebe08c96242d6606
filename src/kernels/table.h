// What a device can compute: one argument struct and one entry per kernel. Kernels know nothing of models, allocate
// nothing and cannot fail: the op that calls one has checked the shapes. Plain C++20.
//
// Letters: T rows (tokens), D width, N heads, G key/value heads, d head size, E experts, K chosen experts, V
// vocabulary. Activations are float32, row-major, rows contiguous. Every output element is computed by one thread, and
// its sum runs along k in one order that depends neither on T nor on the number of threads: the same bits for one row
// or a thousand.
#pragma once

#include <cstdint>

#include "kernels/table_grad.h"
#include "tensor/dtype.h"
#include "tensor/matrix.h"

namespace herd {

class ThreadPool;

// Where kernels run: for the CPU, its threads.
struct Lane {
  ThreadPool* pool = nullptr;
  // Training, pictures: factors of products may be rounded to bfloat16, where the processor multiplies it faster.
  bool bfloat16 = false;
};

// One matrix applied to a range of rows.
struct MatmulGroup {
  Matrix weight;
  const float* bias = nullptr;  // [out], or null
  std::int64_t row_begin = 0;   // rows of x and y, [row_begin, row_end)
  std::int64_t row_end = 0;
  std::int64_t y_column = 0;  // first column of y that receives the outputs
};

// y[t, y_column + o] = scale[o] * sum_i x[t, i] * w(o, i) + bias[o], for every group. Groups write disjoint parts of y;
// all groups form one queue of work without a barrier between them (experts of uneven load, or q, k and v at once).
struct MatmulArgs {
  const float* x = nullptr;  // [T, x_stride]
  std::int64_t x_stride = 0;
  float* y = nullptr;  // [T, y_stride]
  std::int64_t y_stride = 0;
  const MatmulGroup* groups = nullptr;
  std::int64_t num_groups = 0;
};

// y[t] = x[t] / sqrt(mean(x[t]^2) + eps) * weight; weight null means 1 (the weightless norm of q and k).
struct RmsNormArgs {
  const float* x = nullptr;       // [T, D]
  const float* weight = nullptr;  // [D] or null
  float* y = nullptr;             // [T, D]; may be x
  std::int64_t T = 0, D = 0;
  float eps = 0;
};

// y[t] = (x[t] - mean) / sqrt(variance + eps) * weight + bias.
struct LayerNormArgs {
  const float* x = nullptr;       // [T, D]
  const float* weight = nullptr;  // [D]
  const float* bias = nullptr;    // [D]
  float* y = nullptr;             // [T, D]; may be x
  std::int64_t T = 0, D = 0;
  float eps = 0;
};

// Rotates pairs (2i, 2i+1) of every head by angle[t, i], given as cosine and sine.
struct RopeArgs {
  const float* x = nullptr;    // [T, N, d], rows x_stride floats apart
  const float* cos = nullptr;  // [T, d/2]
  const float* sin = nullptr;  // [T, d/2]
  float* y = nullptr;          // [T, N, d], rows y_stride floats apart; may be x
  std::int64_t T = 0, N = 0, d = 0;
  std::int64_t x_stride = 0, y_stride = 0;
};

// Keys and values lie in blocks of a fixed number of positions, so that caches can be paged and sums are combined in
// the same pieces whatever the batch: block b holds positions [b*64, b*64+64) of its span. Values lie as [G, 64, d];
// keys lie across, [G, d, 64], so that the scores of neighbouring keys fill a vector and nothing is ever turned round.
inline constexpr std::int64_t keys_per_block = 64;

// One query row's view of its sequence: keys at indices [first, count) of a block table. A chunked layer sees its chunk
// only: its table starts at the chunk. A bidirectional layer (vision) gives every row the same count.
struct AttendRow {
  const void* const* key_blocks =
      nullptr;  // [ceil(count / 64)] pointers, each to [G, d, 64] (of integers: kv_block.h)
  const void* const* value_blocks = nullptr;  // the same number, each to [G, 64, d]
  std::int64_t first = 0;  // first key index seen; 0 unless a chunk begins inside the table
  std::int64_t count = 0;  // one past the last key index seen; > first
};

// o[t, n] = softmax(scale * q[t, n] . k) v over the keys of row t; query head n uses key/value head n / (N / G).
// Blocks are combined in order, in float32, with an online softmax; exp is exact to float32 rounding.
struct AttendArgs {
  const float* q = nullptr;         // [T, N, d], rows q_stride floats apart
  float* o = nullptr;               // [T, N, d], rows o_stride floats apart
  const AttendRow* rows = nullptr;  // [T]
  DType kv_dtype = DType::f32;      // f32, bf16, q8_0 or q4_0
  std::int64_t T = 0, N = 0, G = 0, d = 0;
  std::int64_t q_stride = 0, o_stride = 0;
  float scale = 0;
};

// The same where keys and values are rows of the batch itself: o of each row over its whole segment, or over what comes
// up to itself.
struct AttendWithinArgs {
  const float* q = nullptr;                 // [T, N, d]
  const float* k = nullptr;                 // [T, G, d]
  const float* v = nullptr;                 // [T, G, d]
  float* o = nullptr;                       // [T, N, d]
  const AttendSegment* segments = nullptr;  // disjoint
  std::int64_t num_segments = 0;
  std::int64_t N = 0, G = 0, d = 0;
  float scale = 0;
  bool causal = true;
};

enum class KvPart : std::uint8_t { keys, values };

// Writes rows of keys or values into cache blocks: row t goes to block[t] (a pointer to its [G, d, 64] or [G, 64, d]
// block) at index within[t]. Rounds to dtype, nearest even, or to rotated integers (kv_block.h).
struct StoreKvArgs {
  KvPart part = KvPart::values;
  const float* x = nullptr;              // [T, G, d], rows x_stride floats apart
  void* const* block = nullptr;          // [T]
  const std::int32_t* within = nullptr;  // [T], 0..63
  DType dtype = DType::f32;              // f32, bf16, q8_0 or q4_0
  std::int64_t T = 0, G = 0, d = 0;
  std::int64_t x_stride = 0;
};

// y[t] = silu(gate[t]) * up[t]; gate is columns [0, I) and up columns [I, 2I) of gate_up.
struct SiluMulArgs {
  const float* gate_up = nullptr;  // [T, 2I]
  float* y = nullptr;              // [T, I]
  std::int64_t T = 0, I = 0;
};

// y = x * (1 + erf(x / sqrt 2)) / 2: the exact form, not the tanh approximation.
struct GeluArgs {
  const float* x = nullptr;  // [count]
  float* y = nullptr;        // [count]; may be x
  std::int64_t count = 0;
};

// y = a + b.
struct AddArgs {
  const float* a = nullptr;  // [count]
  const float* b = nullptr;  // [count]
  float* y = nullptr;        // [count]; may be a or b
  std::int64_t count = 0;
};

// y[r] = row[r]-th row of a table, converted to float32, times factor[r] where factor is given.
// Embedding (table of weights) and the gather of routed tokens (table of activations) are both this.
struct GatherArgs {
  const void* table = nullptr;  // [rows, D] of dtype
  DType dtype = DType::f32;
  const std::int32_t* row = nullptr;  // [R]
  const float* factor = nullptr;      // [R] or null
  float* y = nullptr;                 // [R, D]
  std::int64_t R = 0, D = 0;
};

// y[t] = base[t] + sum over k of x[row[t, k]], in order of k. The way back from experts; no atomics, one order.
struct GatherAddArgs {
  const float* base = nullptr;        // [T, D]
  const float* x = nullptr;           // [R, D]
  const std::int32_t* row = nullptr;  // [T, K]
  float* y = nullptr;                 // [T, D]; may be base
  std::int64_t T = 0, K = 0, D = 0;
};

// The K largest of each row in descending order, ties to the lowest index.
struct TopKArgs {
  const float* x = nullptr;       // [T, E]
  float* value = nullptr;         // [T, K]
  std::int32_t* index = nullptr;  // [T, K]
  std::int64_t T = 0, E = 0, K = 0;
};

// y = 1 / (1 + exp(-x)).
struct SigmoidArgs {
  const float* x = nullptr;  // [count]
  float* y = nullptr;        // [count]; may be x
  std::int64_t count = 0;
};

// y[t] = x[t] * factor[t].
struct ScaleRowsArgs {
  const float* x = nullptr;       // [T, D], rows x_stride floats apart
  const float* factor = nullptr;  // [T]
  float* y = nullptr;             // [T, D], rows y_stride floats apart; may be x
  std::int64_t T = 0, D = 0;
  std::int64_t x_stride = 0, y_stride = 0;
};

struct KernelTable {
  const char* name = nullptr;
  void (*matmul)(const MatmulArgs&, const Lane&) = nullptr;
  void (*rms_norm)(const RmsNormArgs&, const Lane&) = nullptr;
  void (*layer_norm)(const LayerNormArgs&, const Lane&) = nullptr;
  void (*rope)(const RopeArgs&, const Lane&) = nullptr;
  void (*attend)(const AttendArgs&, const Lane&) = nullptr;
  // Where a lane rounds to bfloat16 (Lane::bfloat16) and the device is better at it so; false: it has done nothing.
  bool (*attend_within)(const AttendWithinArgs&, const Lane&) = nullptr;
  void (*store_kv)(const StoreKvArgs&, const Lane&) = nullptr;
  void (*silu_mul)(const SiluMulArgs&, const Lane&) = nullptr;
  void (*gelu)(const GeluArgs&, const Lane&) = nullptr;
  void (*add)(const AddArgs&, const Lane&) = nullptr;
  void (*gather)(const GatherArgs&, const Lane&) = nullptr;
  void (*gather_add)(const GatherAddArgs&, const Lane&) = nullptr;
  void (*top_k)(const TopKArgs&, const Lane&) = nullptr;
  void (*sigmoid)(const SigmoidArgs&, const Lane&) = nullptr;
  void (*scale_rows)(const ScaleRowsArgs&, const Lane&) = nullptr;

  // table_grad.h: training.
  void (*weight_grad)(const WeightGradArgs&, const Lane&) = nullptr;
  void (*rms_norm_grad)(const RmsNormGradArgs&, const Lane&) = nullptr;
  void (*layer_norm_grad)(const LayerNormGradArgs&, const Lane&) = nullptr;
  void (*silu_mul_grad)(const SiluMulGradArgs&, const Lane&) = nullptr;
  void (*gelu_grad)(const GeluGradArgs&, const Lane&) = nullptr;
  void (*attend_grad)(const AttendGradArgs&, const Lane&) = nullptr;
  void (*gather_scaled_grad)(const GatherScaledGradArgs&, const Lane&) = nullptr;
  void (*scatter_rows)(const ScatterRowsArgs&, const Lane&) = nullptr;
  void (*cross_entropy)(const CrossEntropyArgs&, const Lane&) = nullptr;
  void (*adamw)(const AdamWArgs&, const Lane&) = nullptr;
  void (*sum_squares)(const SumSquaresArgs&, const Lane&) = nullptr;
};

// Scalar, sums in float64, every entry: the definition of each kernel.
const KernelTable& ref_kernels();

// ref's entries, replaced where vectors do better; targets are chosen at run time.
const KernelTable& cpu_kernels();

}  // namespace herd
