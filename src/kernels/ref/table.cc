#include "kernels/table.h"

#include "kernels/ref/ref.h"

namespace herd {

const KernelTable& ref_kernels() {
  static constexpr KernelTable table{
      .name = "ref",
      .matmul = ref::matmul,
      .rms_norm = ref::rms_norm,
      .layer_norm = ref::layer_norm,
      .rope = ref::rope,
      .attend = ref::attend,
      .attend_within = ref::attend_within,
      .store_kv = ref::store_kv,
      .silu_mul = ref::silu_mul,
      .gelu = ref::gelu,
      .add = ref::add,
      .gather = ref::gather,
      .gather_add = ref::gather_add,
      .top_k = ref::top_k,
      .sigmoid = ref::sigmoid,
      .scale_rows = ref::scale_rows,
      .weight_grad = ref::weight_grad,
      .rms_norm_grad = ref::rms_norm_grad,
      .layer_norm_grad = ref::layer_norm_grad,
      .silu_mul_grad = ref::silu_mul_grad,
      .gelu_grad = ref::gelu_grad,
      .attend_grad = ref::attend_grad,
      .gather_scaled_grad = ref::gather_scaled_grad,
      .scatter_rows = ref::scatter_rows,
      .cross_entropy = ref::cross_entropy,
      .adamw = ref::adamw,
      .sum_squares = ref::sum_squares,
  };
  return table;
}

}  // namespace herd
