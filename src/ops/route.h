// Choosing rows: embeddings, and sending rows to experts and back. Lists of rows must live as long as the tape
// where there is one.  T tokens, D width, E experts, K chosen a token, R = T K routed rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/context.h"

namespace herd {

struct TopK {
  Tensor score_TK;   // [T, K] f32, descending where nothing biases the choice
  Tensor expert_TK;  // [T, K] i32
};

// The K largest of each row, ties to the lowest index.   logits_TE [T, E] -> [T, K]
// With bias_E [E] those whose logit plus bias is largest, in that order; scores are the logits all the same.
TopK top_k(Context& ctx, const Tensor& logits_TE, std::int64_t k,
           std::span<const float> bias_E = {});

// Routed rows sorted by expert; within an expert by token, so that the order never depends on the batch's neighbours.
struct Routes {
  std::vector<std::int64_t> begin;     // [E+1] rows [begin[e], begin[e+1]) belong to expert e
  std::vector<std::int32_t> token_R;   // [R] the token of each routed row
  std::vector<std::int32_t> choice_R;  // [R] its place in [T, K], flattened
  std::vector<std::int32_t> row_TK;    // [T, K] the routed row of each choice
};

Routes group_by_expert(const Tensor& expert_TK, std::int64_t experts);

// The rows that go to experts, each scaled by its score: Llama 4 scales the expert's input.
//   x_TD [T, D], score_TK [T, K] -> [R, D]
Tensor gather_scaled(Context& ctx, const Tensor& x_TD, const Routes& routes,
                     const Tensor& score_TK);

// base + the routed rows of each token, in order of choice.   base_TD [T, D], out_RD [R, D] -> [T, D]
Tensor scatter_add(Context& ctx, const Tensor& base_TD, const Tensor& out_RD, const Routes& routes);

// Rows of a table of weights as float32: token embedding.   table [V, D] of any weight type, row [T] -> [T, D]
Tensor embed(Context& ctx, const Matrix& table, std::span<const std::int32_t> row_T);

// The rows of x that are wanted.   x_TD [T, D], row [n] -> [n, D]
Tensor gather_rows(Context& ctx, const Tensor& x_TD, std::span<const std::int32_t> row);

// x with some rows replaced: what a picture shows takes the places of its tokens.
//   x_TD [T, D], new_FD [F, D], row_F [F] -> [T, D]
Tensor replace_rows(Context& ctx, const Tensor& x_TD, const Tensor& new_FD,
                    std::span<const std::int32_t> row_F);

}  // namespace herd
