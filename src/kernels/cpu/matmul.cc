// Matrix products: every group is cut into items of rows x outputs, all items form one queue, and each is multiplied by
// the kernel of its layout and weight type.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/matmul.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/matmul_in_out-inl.h"
#include "kernels/cpu/matmul_out_in-inl.h"
#include "kernels/cpu/matmul_plan.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

template <class Weight>
void multiply_as(const MatmulItem& item) {
  if (item.group->weight.layout == Layout::out_in)
    multiply_out_in<Weight>(item);
  else
    multiply_in_out<Weight>(item);
}

void multiply(const MatmulItem& item) {
  const Matrix& w = item.group->weight;
  switch (w.dtype) {
    case DType::f32:
      multiply_as<WeightF32>(item);
      break;
    case DType::bf16:
      multiply_as<WeightBf16>(item);
      break;
    case DType::f16:
      multiply_as<WeightF16>(item);
      break;
    case DType::f8_e4m3:
      multiply_as<WeightF8>(item);
      break;
    default:
      HERD_CHECK(false, "no product with weights of {}", row_of(w.dtype).name);
  }
  const float* bias = item.group->bias;
  if (w.scale == nullptr && bias == nullptr) return;
  for (std::int64_t t = item.row_begin; t < item.row_end; ++t) {
    float* y = item.y(t);
    if (w.scale != nullptr)
      for (std::int64_t o = item.out_begin; o < item.out_end; ++o) y[o] *= w.scale[o];
    if (bias != nullptr)
      for (std::int64_t o = item.out_begin; o < item.out_end; ++o) y[o] += bias[o];
  }
}

void matmul_impl(const MatmulArgs& args, const Lane& lane) {
  const MatmulPlan plan(args, threads_of(lane));
  run(lane, plan.items(), 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) multiply(plan.item(i));
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {

HWY_EXPORT(matmul_impl);

void matmul(const MatmulArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(matmul_impl)(args, lane);
}

}  // namespace herd::cpu
#endif
