#include "kernels/table.h"

#include "kernels/cpu/cpu.h"

namespace herd {

const KernelTable& cpu_kernels() {
  static const KernelTable table = [] {
    KernelTable t = ref_kernels();
    t.name = "cpu";
    t.matmul = cpu::matmul;
    t.attend = cpu::attend;
    t.attend_within = cpu::attend_within;
    t.rms_norm = cpu::rms_norm;
    t.layer_norm = cpu::layer_norm;
    t.rope = cpu::rope;
    t.store_kv = cpu::store_kv;
    t.silu_mul = cpu::silu_mul;
    t.gelu = cpu::gelu;
    t.sigmoid = cpu::sigmoid;
    t.add = cpu::add;
    t.gather = cpu::gather;
    t.gather_add = cpu::gather_add;
    t.scale_rows = cpu::scale_rows;
    t.weight_grad = cpu::weight_grad;
    t.rms_norm_grad = cpu::rms_norm_grad;
    t.layer_norm_grad = cpu::layer_norm_grad;
    t.silu_mul_grad = cpu::silu_mul_grad;
    t.gelu_grad = cpu::gelu_grad;
    t.attend_grad = cpu::attend_grad;
    t.gather_scaled_grad = cpu::gather_scaled_grad;
    t.scatter_rows = cpu::scatter_rows;
    t.cross_entropy = cpu::cross_entropy;
    t.adamw = cpu::adamw;
    t.sum_squares = cpu::sum_squares;
    return t;
  }();
  return table;
}

}  // namespace herd
