#include "engine/picture_cache.h"

#include <gtest/gtest.h>

namespace herd::engine {
namespace {

void see(Seen& seen, std::size_t floats) {
  seen.features.assign(floats, 1.0f);
  seen.tiles_done = seen.tiles;
}

TEST(PictureCache, GivesAPictureSeenBeforeToItsOwnTenantOnly) {
  PictureCache cache(1 << 20);
  see(*cache.get("a", 1, 3), 10);
  EXPECT_TRUE(cache.get("a", 1, 3)->whole());
  EXPECT_FALSE(cache.get("b", 1, 3)->whole());
  EXPECT_FALSE(cache.get("a", 2, 3)->whole());
}

TEST(PictureCache, KeepsToItsBudgetAndDropsTheLeastRecentlyUsedThatNobodyHolds) {
  PictureCache cache(100 * sizeof(float));
  const auto held = cache.get("a", 1, 1);  // shared with the cache
  see(*held, 60);
  see(*cache.get("a", 2, 1), 30);
  see(*cache.get("a", 3, 1), 30);
  (void)cache.get("a", 2, 1);
  cache.trim();
  EXPECT_EQ(cache.bytes(), 90 * sizeof(float));
  EXPECT_TRUE(cache.get("a", 1, 1)->whole());
  EXPECT_TRUE(cache.get("a", 2, 1)->whole());
  EXPECT_FALSE(cache.get("a", 3, 1)->whole());
}

// What an attacker would do: ever new pictures.
TEST(PictureCache, DoesNotGrowWithTheNumberOfPictures) {
  PictureCache cache(100 * sizeof(float));
  for (std::uint64_t hash = 0; hash < 10'000; ++hash) {
    see(*cache.get("a", hash, 1), 30);
    cache.trim();
    ASSERT_LE(cache.size(), 4u);
  }
}

}  // namespace
}  // namespace herd::engine
