#include "kernels/table.h"

#include "kernels/cpu/cpu.h"

namespace herd {

const KernelTable& cpu_kernels() {
  static const KernelTable table = [] {
    KernelTable t = ref_kernels();
    t.name = "cpu";
    t.matmul = cpu::matmul;
    return t;
  }();
  return table;
}

}  // namespace herd
