// The pages that one sequence holds: of the global layers one for every `page` positions; of the local layers those of
// the chunk that is being computed. Full pages go to the prefix cache and are shared from then on; the sequence alone
// owns the last ones.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/prefix_cache.h"

namespace herd::engine {

// Why a prompt's reuse ended where it did.
enum class ReuseEnd : std::uint8_t {
  all,          // nothing but the part that is always computed again was left
  new_text,     // what follows is stored nowhere
  local_gone,   // it is stored, but local layers need their chunk from its start
  not_allowed,  // the request or the engine's options forbid it
};
std::string_view sentence_of(ReuseEnd end);

class Holding {
 public:
  // `cache` must outlive it. Holds nothing yet. With `stores` false full pages stay the sequence's own, and nothing is
  // reused.
  Holding(PrefixCache& cache, std::uint64_t id, std::string_view tenant, bool stores);
  Holding(Holding&& other) noexcept;
  Holding& operator=(Holding&&) = delete;
  ~Holding();

  // Positions [0, length) whose pages are there and computed.
  [[nodiscard]] std::int64_t length() const { return length_; }

  // Takes up stored pages that continue what is held, for at most keys.size() - 1 positions: the last is always
  // computed, for its logits. Changes nothing unless length() is a multiple of the page.
  ReuseEnd adopt(std::span<const std::uint64_t> keys);
  // Pages that adopt() would take and that nobody uses now: they count as available until then.
  struct Match {
    std::int64_t length = 0;
    std::int64_t pages = 0, unused_global = 0, unused_local = 0;
    ReuseEnd end = ReuseEnd::new_text;
  };
  [[nodiscard]] Match match(std::span<const std::uint64_t> keys) const;

  // Pages for positions [length(), end), which must lie in one chunk; false when there are not enough, and then those
  // that there were are held.
  bool reserve(std::int64_t end);
  // Positions [0, length) are computed now, and hold keys[0, length).
  void commit(std::span<const std::uint64_t> keys, std::int64_t length);
  // Gives everything up.
  void release();

  // Of the global layers, from position 0; of the local layers, from the start of the chunk.
  [[nodiscard]] std::span<const PageId> global() const { return global_; }
  [[nodiscard]] std::span<const PageId> local() const { return local_; }
  [[nodiscard]] NodeId last_node() const { return nodes_.empty() ? root_ : nodes_.back(); }
  [[nodiscard]] std::span<const NodeId> nodes() const { return nodes_; }
  [[nodiscard]] std::span<const NodeId> local_nodes() const { return local_nodes_; }
  [[nodiscard]] std::int64_t local_start() const { return local_start_; }

 private:
  [[nodiscard]] Owner owner() const { return {Owner::Kind::sequence, id_}; }
  void enter_chunk(std::int64_t position);
  void drop_local();

  PrefixCache* cache_;
  std::uint64_t id_;
  bool stores_;
  NodeId root_ = no_node;
  std::int64_t length_ = 0;
  std::vector<PageId> global_;
  std::vector<NodeId> nodes_;     // of the first pages; the others are the sequence's own
  std::int64_t local_start_ = 0;  // first position of the chunk whose local pages are held
  std::vector<PageId> local_;
  std::vector<NodeId> local_nodes_;  // as long as local_; no_node for the sequence's own
};

}  // namespace herd::engine
