#include "engine/picture_cache.h"

#include <utility>

namespace herd::engine {

// Shared between the cache and the requests that show the picture.
std::shared_ptr<Seen> PictureCache::get(const std::string& tenant, std::uint64_t hash,
                                        std::int64_t tiles) {
  const auto found = places_.find({tenant, hash});
  if (found != places_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front().seen;
  }
  // Shared with whoever asked.
  auto seen = std::make_shared<Seen>();
  seen->tiles = tiles;
  entries_.push_front({tenant, hash, seen});
  places_[{tenant, hash}] = entries_.begin();
  return seen;
}

void PictureCache::trim() {
  std::uint64_t held = bytes();
  for (auto entry = entries_.end(); entry != entries_.begin();) {
    --entry;
    const bool empty = entry->seen->features.empty();  // given up before anything was seen
    if (entry->seen.use_count() > 1 || (held <= bytes_max_ && !empty)) continue;
    held -= entry->seen->features.size() * sizeof(float);
    places_.erase({entry->tenant, entry->hash});
    entry = entries_.erase(entry);
  }
}

std::uint64_t PictureCache::bytes() const {
  std::uint64_t bytes = 0;
  for (const Entry& entry : entries_) bytes += entry.seen->features.size() * sizeof(float);
  return bytes;
}

}  // namespace herd::engine
