#include "ops/expect.h"

namespace herd {

void expect(const Tensor& x, std::initializer_list<std::reference_wrapper<Dim>> axes, DType dtype) {
  HERD_CHECK(x.dtype == dtype, "tensor is {}, wanted {}", row_of(x.dtype).name, row_of(dtype).name);
  HERD_CHECK(x.shape.rank() == static_cast<int>(axes.size()), "shape {} has rank {}, wanted {}",
             x.shape.text(), x.shape.rank(), axes.size());
  int axis = 0;
  for (Dim& dim : axes) {
    const std::int64_t found = x.shape[axis++];
    if (dim.size_ < 0) dim.size_ = found;
    HERD_CHECK(dim.size_ == found, "shape {}: axis {} should be {} = {}", x.shape.text(), axis - 1,
               dim.letter_, dim.size_);
  }
}

}  // namespace herd
