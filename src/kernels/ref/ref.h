// The scalar definition of every kernel in table.h: one thread, sums in float64, no cleverness. Kept for ever; vector
// and device kernels are compared with these.
#pragma once

#include "kernels/table.h"

namespace herd::ref {

void matmul(const MatmulArgs&, const Lane&);
void rms_norm(const RmsNormArgs&, const Lane&);
void layer_norm(const LayerNormArgs&, const Lane&);
void rope(const RopeArgs&, const Lane&);
void attend(const AttendArgs&, const Lane&);
bool attend_within(const AttendWithinArgs&, const Lane&);
void store_kv(const StoreKvArgs&, const Lane&);
void silu_mul(const SiluMulArgs&, const Lane&);
void gelu(const GeluArgs&, const Lane&);
void add(const AddArgs&, const Lane&);
void gather(const GatherArgs&, const Lane&);
void gather_add(const GatherAddArgs&, const Lane&);
void top_k(const TopKArgs&, const Lane&);
void sigmoid(const SigmoidArgs&, const Lane&);
void scale_rows(const ScaleRowsArgs&, const Lane&);

// Training.
void weight_grad(const WeightGradArgs&, const Lane&);
void rms_norm_grad(const RmsNormGradArgs&, const Lane&);
void layer_norm_grad(const LayerNormGradArgs&, const Lane&);
void silu_mul_grad(const SiluMulGradArgs&, const Lane&);
void gelu_grad(const GeluGradArgs&, const Lane&);
void attend_grad(const AttendGradArgs&, const Lane&);
void gather_scaled_grad(const GatherScaledGradArgs&, const Lane&);
void scatter_rows(const ScatterRowsArgs&, const Lane&);
void cross_entropy(const CrossEntropyArgs&, const Lane&);
void adamw(const AdamWArgs&, const Lane&);
void sum_squares(const SumSquaresArgs&, const Lane&);

}  // namespace herd::ref
