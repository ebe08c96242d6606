// The limit of an index; what else can be wrong with one is in tests/attacks/index.
#include "checkpoint/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace herd::checkpoint {
namespace {

// An index whose every tensor lies in a shard of its own.
std::string index_of(std::uint64_t shards) {
  std::string text = R"({"weight_map":{)";
  for (std::uint64_t i = 0; i < shards; ++i)
    text += fmt::format("{}\"t{}\":\"{}.safetensors\"", i == 0 ? "" : ",", i, i);
  return text + "}}";
}

TEST(ShardIndex, HasShardsUpToTheLimit) {
  for (const std::uint64_t shards : {limits::shards_max - 1, limits::shards_max}) {
    const auto index = parse_shard_index(index_of(shards));
    ASSERT_TRUE(index.has_value()) << to_string(index.error());
    EXPECT_EQ(index->shards.size(), shards);
  }
  const auto more = parse_shard_index(index_of(limits::shards_max + 1));
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error().code, Code::shard_invalid);
  EXPECT_THAT(more.error().message, testing::HasSubstr("100001 shards, limit 100000"));
}

}  // namespace
}  // namespace herd::checkpoint
