#include "base/large_pages.h"

#include <sys/mman.h>

#include <memory>

namespace herd {

void ask_for_large_pages(void* memory, std::size_t bytes) {
  void* begin = memory;
  std::size_t room = bytes;
  if (std::align(large_page, large_page, begin, room) != nullptr)
    madvise(begin, room / large_page * large_page, MADV_HUGEPAGE);
}

}  // namespace herd
