// The vector kernels that replace entries of the reference table on the CPU. Each is a plain function that chooses the
// instruction set once per call; contracts are in kernels/table.h.
#pragma once

#include "kernels/table.h"

namespace herd::cpu {

void matmul(const MatmulArgs&, const Lane&);

}  // namespace herd::cpu
