#include "kernels/cpu/work.h"

#include <hwy/aligned_allocator.h>

namespace herd::cpu {

float* scratch(std::size_t floats) {
  thread_local hwy::AlignedFreeUniquePtr<float[]> memory;
  thread_local std::size_t capacity = 0;
  if (capacity < floats) {
    memory.reset();
    memory = hwy::AllocateAligned<float>(floats);
    capacity = floats;
  }
  return memory.get();
}

}  // namespace herd::cpu
