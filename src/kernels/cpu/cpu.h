// The vector kernels that replace entries of the reference table on the CPU. Each is a plain function that chooses the
// instruction set once per call; contracts are in kernels/table.h.
#pragma once

#include "kernels/table.h"

namespace herd::cpu {

void matmul(const MatmulArgs&, const Lane&);
void attend(const AttendArgs&, const Lane&);

// rows.cc: the reference's arithmetic, shared out to the threads.
void rms_norm(const RmsNormArgs&, const Lane&);
void layer_norm(const LayerNormArgs&, const Lane&);
void rope(const RopeArgs&, const Lane&);
void store_kv(const StoreKvArgs&, const Lane&);
void silu_mul(const SiluMulArgs&, const Lane&);
void gelu(const GeluArgs&, const Lane&);
void add(const AddArgs&, const Lane&);
void gather(const GatherArgs&, const Lane&);
void gather_add(const GatherAddArgs&, const Lane&);
void scale_rows(const ScaleRowsArgs&, const Lane&);

}  // namespace herd::cpu
