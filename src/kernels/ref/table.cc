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
      .store_kv = ref::store_kv,
      .silu_mul = ref::silu_mul,
      .gelu = ref::gelu,
      .add = ref::add,
      .gather = ref::gather,
      .gather_add = ref::gather_add,
      .top_k = ref::top_k,
      .sigmoid = ref::sigmoid,
      .scale_rows = ref::scale_rows,
  };
  return table;
}

}  // namespace herd
