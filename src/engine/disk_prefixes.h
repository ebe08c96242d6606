// Between the prefixes in memory and those on disk. A prompt that comes finds what memory has; what follows is brought
// from disk page by page, a little in each step so that nobody waits long, up to the last multiple of the chunk of the
// local layers. A sequence that has ended leaves its whole chunks on disk.
//
// Holds nothing from one step to the next: what memory gives up in between is simply not there any more.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/prefix_cache.h"
#include "engine/prefix_store.h"
#include "nn/kv_pool.h"

namespace herd::engine {

class DiskPrefixes {
 public:
  // `kv` and `cache` must outlive it. The layout must share its pages with the local layers, or have none.
  DiskPrefixes(std::unique_ptr<PrefixStore> store, const nn::KvPool& kv, PrefixCache& cache);

  // True when the disk has more of this prompt than memory: restored() will name it, and until then it should wait.
  bool restore(std::uint64_t id, std::string_view tenant, std::span<const std::uint64_t> keys);
  void cancel(std::uint64_t id);
  // The whole chunks of what a sequence has computed.   nodes: of its first pages
  void save(std::string_view tenant, std::span<const std::uint64_t> keys,
            std::span<const NodeId> nodes);

  // A little of what there is to do. `waits` for the disk where nothing else is to be done.
  // Gives the prompts that need not wait any longer.
  std::vector<std::uint64_t> step(bool waits);
  [[nodiscard]] bool saving() const { return !saves_.empty(); }
  [[nodiscard]] const PrefixStore& store() const { return *store_; }

 private:
  struct Restore {
    std::uint64_t id = 0;
    std::string tenant;
    std::vector<std::uint64_t> keys;
    std::vector<PrefixStore::Name> names;  // of the pages to be there in the end
    std::size_t done = 0;                  // pages that memory holds, or held
  };
  struct Save {
    std::vector<std::uint64_t> keys;
    std::vector<NodeId> nodes;
    std::vector<PrefixStore::Name> names;
    std::size_t done = 0;  // pages
  };

  [[nodiscard]] std::span<const std::uint64_t> page_of(std::span<const std::uint64_t> keys,
                                                       std::size_t page) const;
  [[nodiscard]] std::size_t whole_chunks(std::size_t pages) const;
  [[nodiscard]] std::vector<PrefixStore::Name> names_of(std::string_view tenant,
                                                        std::span<const std::uint64_t> keys,
                                                        std::size_t pages) const;
  bool restore_some(Restore& restore);
  bool save_some(Save& save, bool waits);

  std::unique_ptr<PrefixStore> store_;
  const nn::KvPool* kv_;
  PrefixCache* cache_;
  std::size_t chunk_pages_;
  std::deque<Restore> restores_;
  std::deque<Save> saves_;
};

}  // namespace herd::engine
