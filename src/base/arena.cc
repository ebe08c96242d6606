#include "base/arena.h"

#include <algorithm>
#include <new>

#include "base/check.h"
#include "base/large_pages.h"

namespace herd {

void Arena::Free::operator()(std::byte* data) const {
  ::operator delete(data, std::align_val_t{large_page});
}

void* Arena::allocate(std::size_t bytes) {
  const std::size_t size =
      (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  while (block_ < blocks_.size() && used_ + size > blocks_[block_].size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t block_size = std::max(block_bytes_, size);
    auto* data = static_cast<std::byte*>(::operator new(block_size, std::align_val_t{large_page}));
    ask_for_large_pages(data, block_size);
    blocks_.push_back({std::unique_ptr<std::byte, Free>(data), block_size});
    used_ = 0;
  }
  std::byte* out = blocks_[block_].data.get() + used_;
  used_ += size;
  return out;
}

void Arena::reset() { rewind({0, 0}); }

void Arena::rewind(Mark mark) {
  HERD_CHECK(mark.block < block_ || (mark.block == block_ && mark.used <= used_),
             "rewinding forward, from block {} byte {} to block {} byte {}", block_, used_,
             mark.block, mark.used);
  block_ = mark.block;
  used_ = mark.used;
}

std::size_t Arena::bytes_reserved() const {
  std::size_t sum = 0;
  for (const Block& block : blocks_) sum += block.size;
  return sum;
}

}  // namespace herd
