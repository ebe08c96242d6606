#include "nn/kv_pool.h"

#include <gtest/gtest.h>

#include <set>

namespace herd::nn {
namespace {

KvShape shape() {
  return {.chunk = {128, 0, 128, 0, 128}, .heads = 2, .head_size = 8, .dtype = DType::bf16};
}

// Every block of every page is written whole; none touches another.
TEST(KvPool, BlocksDoNotOverlap) {
  const auto pool = KvPool::create(shape(), 3, 4);
  ASSERT_TRUE(pool.has_value());
  EXPECT_EQ(KvPool::global_page_bytes(shape()), 2 * 2 * shape().bytes_per_block());
  EXPECT_EQ(KvPool::local_page_bytes(shape()), 3 * 2 * shape().bytes_per_block());
  std::set<std::byte*> starts;
  for (std::size_t layer = 0; layer < 5; ++layer)
    for (std::int32_t page = 0; page < (layer % 2 == 0 ? 4 : 3); ++page)
      for (void* block : {pool->keys(layer, page), pool->values(layer, page)})
        starts.insert(static_cast<std::byte*>(block));
  ASSERT_EQ(starts.size(), 2u * (3 * 4 + 2 * 3));
  const auto step = static_cast<std::ptrdiff_t>(shape().bytes_per_block());
  for (auto at = starts.begin(); std::next(at) != starts.end(); ++at)
    EXPECT_EQ(*std::next(at) - *at, step);
}

TEST(PagedKvCache, TablesFollowThePagesTheyAreGiven) {
  const auto pool = KvPool::create(shape(), 8, 8);
  ASSERT_TRUE(pool.has_value());
  PagedKvCache cache(*pool, 512);
  const std::vector<std::int32_t> global{5, 2, 7}, local{1};
  cache.set_pages(global, local, 130);
  EXPECT_EQ(cache.length(), 130);
  ASSERT_EQ(cache.key_blocks(1).size(), 3u);
  EXPECT_EQ(cache.key_blocks(1)[2], pool->keys(1, 7));
  EXPECT_EQ(cache.value_blocks(3)[0], pool->values(3, 5));
  ASSERT_EQ(cache.key_blocks(0).size(), 1u);
  EXPECT_EQ(cache.value_blocks(4)[0], pool->values(4, 1));
  // One page swapped, one more, and another chunk's local pages.
  const std::vector<std::int32_t> next_global{5, 3, 7, 0}, next_local{6, 1};
  cache.set_pages(next_global, next_local, 200);
  EXPECT_EQ(cache.key_blocks(3)[1], pool->keys(3, 3));
  EXPECT_EQ(cache.key_blocks(3)[3], pool->keys(3, 0));
  EXPECT_EQ(cache.key_blocks(2)[0], pool->keys(2, 6));
  EXPECT_EQ(cache.key_blocks(2)[1], pool->keys(2, 1));
}

}  // namespace
}  // namespace herd::nn
