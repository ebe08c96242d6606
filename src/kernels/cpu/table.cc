#include "kernels/table.h"

namespace herd {

const KernelTable& cpu_kernels() {
  static const KernelTable table = [] {
    KernelTable t = ref_kernels();
    t.name = "cpu";
    return t;
  }();
  return table;
}

}  // namespace herd
