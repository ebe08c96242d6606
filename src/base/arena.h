// Memory for the results of one step: taken in order, given back all at once, or piece by piece where somebody knows
// that a piece is done with: the next of its size then lies where the caches are warm. After the first steps nothing is
// allocated, and the same step gets the same addresses (what a captured CUDA graph will need).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace herd {

class Arena {
 public:
  static constexpr std::size_t alignment = 64;  // a cache line, and the widest vector

  explicit Arena(std::size_t block_bytes = std::size_t{16} << 20) : block_bytes_(block_bytes) {}

  // `bytes` bytes, aligned; contents are whatever the last step left. Never fails short of std::bad_alloc.
  void* allocate(std::size_t bytes);

  // What allocate(bytes) gave will be given again to the next who asks for as many.
  void release(void* memory, std::size_t bytes);

  // Everything allocated so far becomes free; the memory stays for the next step.
  void reset();

  // A point to which the arena can be wound back: what one layer used is free for the next.
  struct Mark {
    std::size_t block = 0;
    std::size_t used = 0;
  };
  [[nodiscard]] Mark mark() const { return {block_, used_}; }
  void rewind(Mark mark);

  [[nodiscard]] std::size_t bytes_reserved() const;

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  struct Block {
    std::unique_ptr<std::byte, Free> data;
    std::size_t size = 0;
  };
  // Memory that was released; a piece that is taken from here stays taken until the arena is reset.
  struct Released {
    void* memory;
    Mark at;
  };
  static std::size_t rounded(std::size_t bytes);

  std::size_t block_bytes_;
  std::vector<Block> blocks_;
  std::size_t block_ = 0;                                            // the one being filled
  std::size_t used_ = 0;                                             // bytes of it
  std::unordered_map<std::size_t, std::vector<Released>> released_;  // by size
};

}  // namespace herd
