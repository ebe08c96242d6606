// Any text as an index of shards: no name that comes out of it leaves the directory.
#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/file.h"
#include "checkpoint/store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const auto index = checkpoint::parse_shard_index(text_of(std::span(data, size)));
  if (!index) {
    HERD_CHECK(!index.error().message.empty());
    return 0;
  }
  HERD_CHECK(!index->shards.empty() && std::ranges::is_sorted(index->shards) &&
             std::ranges::is_sorted(index->shard_of));
  for (const std::string& shard : index->shards)
    HERD_CHECK(is_plain_file_name(shard) && shard.ends_with(".safetensors"), "{}", shard);
  for (const auto& [tensor, shard] : index->shard_of)
    HERD_CHECK(std::ranges::binary_search(index->shards, shard), "{}", shard);
  return 0;
}
