#include "base/arena.h"

#include <algorithm>
#include <functional>
#include <new>

#include "base/check.h"
#include "base/large_pages.h"

namespace herd {

void Arena::Free::operator()(std::byte* data) const {
  ::operator delete(data, std::align_val_t{large_page});
}

std::size_t Arena::rounded(std::size_t bytes) {
  return (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
}

void* Arena::allocate(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  if (const auto found = released_.find(size); found != released_.end() && !found->second.empty()) {
    void* const memory = found->second.back().memory;
    found->second.pop_back();
    return memory;
  }
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

void Arena::release(void* memory, std::size_t bytes) {
  const auto* const begin = static_cast<std::byte*>(memory);
  for (std::size_t block = 0; block <= block_ && block < blocks_.size(); ++block) {
    const std::byte* const data = blocks_[block].data.get();
    if (std::less_equal<>()(data, begin) && std::less<>()(begin, data + blocks_[block].size)) {
      released_[rounded(bytes)].push_back(
          {memory, {block, static_cast<std::size_t>(begin - data)}});
      return;
    }
  }
  HERD_CHECK(false, "{} bytes were released that are not the arena's", bytes);
}

void Arena::reset() {
  rewind({0, 0});
  released_.clear();  // sizes differ from step to step
}

void Arena::rewind(Mark mark) {
  HERD_CHECK(mark.block < block_ || (mark.block == block_ && mark.used <= used_),
             "rewinding forward, from block {} byte {} to block {} byte {}", block_, used_,
             mark.block, mark.used);
  block_ = mark.block;
  used_ = mark.used;
  for (auto& [size, list] : released_)
    std::erase_if(list, [&](const Released& piece) {
      return piece.at.block > mark.block ||
             (piece.at.block == mark.block && piece.at.used >= mark.used);
    });
}

std::size_t Arena::bytes_reserved() const {
  std::size_t sum = 0;
  for (const Block& block : blocks_) sum += block.size;
  return sum;
}

}  // namespace herd
