#include "engine/prefix_cache.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/keyed_hash.h"

namespace herd::engine {

PrefixCache::PrefixCache(const KvLayout& layout, Pages& global, Pages& local, const Secret& secret,
                         Faults faults)
    : layout_(layout), global_(&global), local_(&local), secret_(secret), faults_(faults) {}

NodeId PrefixCache::hold_root(std::string_view tenant) {
  if (faults_.has(Fault::shares_across_tenants)) tenant = {};
  auto found = roots_.find(tenant);
  if (found == roots_.end()) {
    const NodeId id = ++last_node_;
    nodes_[id].tenant = tenant;
    found = roots_.emplace(tenant, id).first;
  }
  ++at(found->second).users;
  return found->second;
}

NodeId PrefixCache::find(NodeId parent, std::span<const std::uint64_t> keys) const {
  const auto [begin, end] = by_hash_.equal_range(hash_of(parent, keys));
  for (auto entry = begin; entry != end; ++entry) {
    const Node& node = at(entry->second);
    if (faults_.has(Fault::trusts_the_hash)) return entry->second;
    if (node.parent == parent && std::ranges::equal(node.keys, keys)) return entry->second;
  }
  return no_node;
}

std::uint64_t PrefixCache::hash_of(NodeId parent, std::span<const std::uint64_t> keys) const {
  HERD_CHECK(static_cast<std::int64_t>(keys.size()) == layout_.page, "{} keys of a page of {}",
             keys.size(), layout_.page);
  const std::uint64_t hash =
      keyed_hash(secret_.words, keys) ^ keyed_hash(secret_.words, std::span(&parent, 1));
  return secret_.bits >= 64 ? hash : hash & ((1ull << secret_.bits) - 1);
}

void PrefixCache::hold(NodeId id) {
  Node& node = at(id);
  unlist(id, node);
  if (node.users++ == 0 && !is_root(node)) --unused_;
}

void PrefixCache::drop(NodeId id) {
  Node& node = at(id);
  HERD_CHECK(node.users > 0, "node {} has no users", id);
  if (--node.users > 0) return;
  if (is_root(node)) return remove_idle_root(id);
  ++unused_;
  node.last_use = clock_;
  list(id, node);
}

void PrefixCache::hold_local(NodeId id) {
  Node& node = at(id);
  HERD_CHECK(node.local.has_value(), "node {} has no local page", id);
  unlist_local(id, node);
  ++node.local_users;
}

void PrefixCache::drop_local(NodeId id) {
  Node& node = at(id);
  HERD_CHECK(node.local.has_value() && node.local_users > 0, "node {} has no local users", id);
  if (--node.local_users > 0) return;
  node.local_last_use = clock_;
  list_local(id, node);
}

PrefixCache::Stored PrefixCache::put(NodeId parent, std::span<const std::uint64_t> keys,
                                     Owner owner, PageId page, std::optional<PageId> local) {
  HERD_CHECK(at(parent).users > 0, "the block's parent {} has no users", parent);
  ++clock_;
  NodeId id = find(parent, keys);
  const bool known = id != no_node;
  if (known) {
    hold(id);
    if (faults_.has(Fault::duplicate_keeps_its_old_page))
      global_->release(page, owner);
    else
      global_->release(std::exchange(page, at(id).page), owner);
  } else {
    id = ++last_node_;
    Node& node = nodes_[id];
    node.parent = parent;
    node.keys.assign(keys.begin(), keys.end());
    node.hash = hash_of(parent, keys);
    node.page = page;
    node.users = 1;
    Node& above = at(parent);
    node.depth = above.depth + 1;
    ++above.children;
    by_hash_.emplace(node.hash, id);
    global_->give(page, owner, owner_of(id));
  }
  if (local) {
    Node& node = at(id);
    if (node.local) {
      local_->release(*local, owner);
    } else {
      local_->give(*local, owner, owner_of(id));
      node.local = local;
    }
    local = node.local;
    hold_local(id);
  }
  return {id, page, local};
}

std::optional<PageId> PrefixCache::take_global(Owner owner) {
  ++clock_;
  if (global_->num_free() == 0 && !evict_global()) return std::nullopt;
  return global_->take(owner);
}

std::optional<PageId> PrefixCache::take_local(Owner owner) {
  ++clock_;
  if (local_->num_free() == 0 && !evict_local()) return std::nullopt;
  return local_->take(owner);
}

std::int64_t PrefixCache::available_global() const { return global_->num_free() + unused_; }
std::int64_t PrefixCache::available_local() const { return local_->num_free() + unused_local(); }

bool PrefixCache::evict_global() {
  const bool any = faults_.has(Fault::evicts_what_is_used);
  if (any || faults_.has(Fault::evicts_parents_first))
    for (const auto& [id, node] : nodes_)
      if (!is_root(node) && (any ? node.children == 0 : node.users == 0)) {
        remove(id);
        return true;
      }
  if (unused_leaves_.empty()) return false;
  remove(unused_leaves_.begin()->node);
  return true;
}

bool PrefixCache::evict_local() {
  if (faults_.has(Fault::evicts_local_in_use))
    for (auto& [id, node] : nodes_)
      if (node.local) {
        unlist_local(id, node);
        local_->release(*node.local, owner_of(id));
        node.local.reset();
        return true;
      }
  if (unused_local_.empty()) return false;
  const NodeId id = unused_local_.begin()->node;
  Node& node = at(id);
  unlist_local(id, node);
  local_->release(*node.local, owner_of(id));
  node.local.reset();
  return true;
}

void PrefixCache::remove(NodeId id) {
  Node& node = at(id);
  unlist(id, node);
  unlist_local(id, node);
  global_->release(node.page, owner_of(id));
  if (node.local) local_->release(*node.local, owner_of(id));
  const auto [begin, end] = by_hash_.equal_range(node.hash);
  by_hash_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == id; }));
  --unused_;
  const NodeId parent = node.parent;
  nodes_.erase(id);
  const auto above = nodes_.find(parent);
  if (above == nodes_.end()) return;  // with the fault of evicting parents first alone
  --above->second.children;
  if (is_root(above->second)) return remove_idle_root(parent);
  if (above->second.users == 0) list(parent, above->second);
}

void PrefixCache::remove_idle_root(NodeId id) {
  const Node& root = at(id);
  if (root.users > 0 || root.children > 0) return;
  roots_.erase(root.tenant);
  nodes_.erase(id);
}

void PrefixCache::list(NodeId id, const Node& node) {
  if (!is_root(node) && node.users == 0 && node.children == 0)
    unused_leaves_.insert({node.last_use, node.depth, id});
}

void PrefixCache::unlist(NodeId id, const Node& node) {
  unused_leaves_.erase({node.last_use, node.depth, id});
}

void PrefixCache::list_local(NodeId id, const Node& node) {
  if (node.local && node.local_users == 0)
    unused_local_.insert({node.local_last_use, node.depth, id});
}

void PrefixCache::unlist_local(NodeId id, const Node& node) {
  unused_local_.erase({node.local_last_use, node.depth, id});
}

const PrefixCache::Node& PrefixCache::at(NodeId id) const {
  const auto found = nodes_.find(id);
  HERD_CHECK(found != nodes_.end(), "no node {}", id);
  return found->second;
}

PrefixCache::Node& PrefixCache::at(NodeId id) {
  return const_cast<Node&>(std::as_const(*this).at(id));
}

void PrefixCache::check() const {
  std::int64_t unused = 0;
  std::size_t leaves = 0, locals = 0;
  std::unordered_map<NodeId, std::int64_t> children;
  for (const auto& [id, node] : nodes_) {
    if (node.parent != no_node) ++children[node.parent];
    if (is_root(node)) continue;
    HERD_CHECK(nodes_.contains(node.parent), "node {} hangs from nothing", id);
    HERD_CHECK(global_->owner(node.page) == owner_of(id), "page {} of node {}", node.page, id);
    HERD_CHECK(!node.local || local_->owner(*node.local) == owner_of(id), "node {}", id);
    HERD_CHECK(node.local || node.local_users == 0, "users of no page of node {}", id);
    HERD_CHECK(node.users == 0 || at(node.parent).users > 0, "node {} is used, {} above not", id,
               node.parent);
    HERD_CHECK(find(node.parent, node.keys) == id, "node {} is not found", id);
    unused += node.users == 0;
    leaves += node.users == 0 && node.children == 0;
    locals += node.local && node.local_users == 0;
  }
  for (const auto& [id, node] : nodes_)
    HERD_CHECK(node.children == children[id], "node {}: {} children", id, node.children);
  HERD_CHECK(unused == unused_ && leaves == unused_leaves_.size() && locals == unused_local_.size(),
             "{} unused, {} leaves, {} local pages", unused, leaves, locals);
}

}  // namespace herd::engine
