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
void store_kv(const StoreKvArgs&, const Lane&);
void silu_mul(const SiluMulArgs&, const Lane&);
void gelu(const GeluArgs&, const Lane&);
void add(const AddArgs&, const Lane&);
void gather(const GatherArgs&, const Lane&);
void gather_add(const GatherAddArgs&, const Lane&);
void top_k(const TopKArgs&, const Lane&);
void sigmoid(const SigmoidArgs&, const Lane&);
void scale_rows(const ScaleRowsArgs&, const Lane&);

}  // namespace herd::ref
