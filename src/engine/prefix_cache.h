// What prompts have in common, kept for the next one. A tree of blocks: a node is one page's worth of positions with
// all that came before them, found by its content (tokens, and hashes of pictures) under its parent; each tenant has a
// root of its own, so nothing is shared between tenants. A node owns a page of the global layers and, while there is
// room, one of the local layers. Local layers see their own chunk alone: at a multiple of the chunk a prefix needs
// none of their pages, elsewhere those since the last multiple; where they are gone at most one chunk is computed
// again.
//
// A state machine over two Pages: no threads, no clock of its own; recency is the order of calls. Least recently used
// leaves go first when pages run out. A node that a sequence uses, and so all nodes above it, never goes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/faults.h"
#include "engine/pages.h"

namespace herd::engine {

struct KvLayout {
  std::int64_t page = 64;  // positions of a page
  std::int64_t chunk = 0;  // positions that local layers see; 0 where there are no local layers

  // Whether a local page holds the same positions as a global one, so that it can be stored beside it.
  [[nodiscard]] bool shares_local() const { return chunk > 0 && chunk % page == 0; }
  // Pages for the first `positions`.
  [[nodiscard]] std::int64_t global_pages(std::int64_t positions) const {
    return (positions + page - 1) / page;
  }
  // Pages of the local layers at most, while those are computed.
  [[nodiscard]] std::int64_t local_pages(std::int64_t positions) const {
    return chunk == 0 ? 0 : global_pages(positions < chunk ? positions : chunk);
  }
};

using NodeId = std::uint64_t;  // never used again
inline constexpr NodeId no_node = 0;

class PrefixCache {
 public:
  struct Secret {
    std::array<std::uint64_t, 2> words{};  // unknown to whoever sends prompts
    int bits = 64;                         // of a hash; fewer only to have collisions in tests
  };

  // `global` and `local` must outlive it.
  PrefixCache(const KvLayout& layout, Pages& global, Pages& local, const Secret& secret,
              Faults faults = {});

  [[nodiscard]] const KvLayout& layout() const { return layout_; }
  [[nodiscard]] Faults faults() const { return faults_; }

  // The root that a tenant's prefixes hang from; made when first asked for. Held for the caller.
  NodeId hold_root(std::string_view tenant);
  // The stored block with exactly these keys after `parent`, or no_node.   keys [page]
  [[nodiscard]] NodeId find(NodeId parent, std::span<const std::uint64_t> keys) const;

  // A sequence begins or ends to use a node, and the node's local page.
  void hold(NodeId node);
  void drop(NodeId node);
  void hold_local(NodeId node);
  void drop_local(NodeId node);

  // Takes a block that `owner` has computed. Where the same is stored already, the owner's pages are freed and the
  // stored ones are the answer: they hold the same bits. Held for the caller, its local page too where one is given.
  struct Stored {
    NodeId node = no_node;
    PageId page = 0;
    std::optional<PageId> local;
  };
  Stored put(NodeId parent, std::span<const std::uint64_t> keys, Owner owner, PageId page,
             std::optional<PageId> local);

  [[nodiscard]] bool contains(NodeId node) const { return nodes_.contains(node); }
  [[nodiscard]] PageId page(NodeId node) const { return at(node).page; }
  [[nodiscard]] std::optional<PageId> local(NodeId node) const { return at(node).local; }

  // A page for `owner`: a free one, or one that the least recently used prefix gives up.
  std::optional<PageId> take_global(Owner owner);
  std::optional<PageId> take_local(Owner owner);
  void free_global(PageId page, Owner owner) { global_->release(page, owner); }
  void free_local(PageId page, Owner owner) { local_->release(page, owner); }
  // Pages that such calls could return.
  [[nodiscard]] std::int64_t available_global() const;
  [[nodiscard]] std::int64_t available_local() const;
  // Those of them that prefixes hold.
  [[nodiscard]] std::int64_t unused_global() const { return unused_; }
  [[nodiscard]] std::int64_t unused_local() const {
    return static_cast<std::int64_t>(unused_local_.size());
  }
  [[nodiscard]] bool used(NodeId node) const { return at(node).users > 0; }
  [[nodiscard]] bool used_local(NodeId node) const { return at(node).local_users > 0; }

  // Every node's pages are its own, counts are what they should be: for tests, slow.
  void check() const;
  [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }

 private:
  struct Node {
    NodeId parent = no_node;
    std::string tenant;               // of a root
    std::vector<std::uint64_t> keys;  // [page]; empty for a root
    std::uint64_t hash = 0;
    std::int64_t depth = 0;
    PageId page = -1;
    std::optional<PageId> local;
    std::int64_t users = 0, local_users = 0, children = 0;
    std::uint64_t last_use = 0, local_last_use = 0;
  };
  // Least recently used first; of those of one time the deepest, without which the others still are of use.
  struct Place {
    std::uint64_t last_use = 0;
    std::int64_t depth = 0;
    NodeId node = no_node;
    bool operator<(const Place& other) const {
      if (last_use != other.last_use) return last_use < other.last_use;
      if (depth != other.depth) return depth > other.depth;
      return node < other.node;
    }
  };

  [[nodiscard]] const Node& at(NodeId node) const;
  [[nodiscard]] Node& at(NodeId node);
  [[nodiscard]] std::uint64_t hash_of(NodeId parent, std::span<const std::uint64_t> keys) const;
  static Owner owner_of(NodeId node) { return {Owner::Kind::prefix, node}; }
  [[nodiscard]] static bool is_root(const Node& node) { return node.depth == 0; }
  void unlist(NodeId id, const Node& node);
  void list(NodeId id, const Node& node);
  void unlist_local(NodeId id, const Node& node);
  void list_local(NodeId id, const Node& node);
  bool evict_global();
  bool evict_local();
  void remove(NodeId id);
  void remove_idle_root(NodeId id);

  KvLayout layout_;
  Pages* global_;
  Pages* local_;
  Secret secret_;
  Faults faults_;
  std::unordered_map<NodeId, Node> nodes_;
  std::unordered_multimap<std::uint64_t, NodeId> by_hash_;
  std::map<std::string, NodeId, std::less<>> roots_;
  std::set<Place> unused_leaves_, unused_local_;
  std::int64_t unused_ = 0;  // nodes without users, roots left out
  std::uint64_t clock_ = 0;
  NodeId last_node_ = no_node;
};

}  // namespace herd::engine
