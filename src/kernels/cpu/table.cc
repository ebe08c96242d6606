#include "kernels/table.h"

#include "kernels/cpu/cpu.h"

namespace herd {

const KernelTable& cpu_kernels() {
  static const KernelTable table = [] {
    KernelTable t = ref_kernels();
    t.name = "cpu";
    t.matmul = cpu::matmul;
    t.attend = cpu::attend;
    t.rms_norm = cpu::rms_norm;
    t.layer_norm = cpu::layer_norm;
    t.rope = cpu::rope;
    t.store_kv = cpu::store_kv;
    t.silu_mul = cpu::silu_mul;
    t.gelu = cpu::gelu;
    t.add = cpu::add;
    t.gather = cpu::gather;
    t.gather_add = cpu::gather_add;
    t.scale_rows = cpu::scale_rows;
    return t;
  }();
  return table;
}

}  // namespace herd
