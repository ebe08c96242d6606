#include "engine/disk_prefixes.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace herd::engine {
namespace {

// What is read or written in one step: some 10 ms of a middling disk.
constexpr std::uint64_t step_bytes = 16 << 20;
// Sequences whose pages wait to be written; later ones are not stored.
constexpr std::size_t saves_max = 64;

}  // namespace

DiskPrefixes::DiskPrefixes(std::unique_ptr<PrefixStore> store, const nn::KvPool& kv,
                           PrefixCache& cache)
    : store_(std::move(store)), kv_(&kv), cache_(&cache) {
  const KvLayout& layout = cache.layout();
  HERD_CHECK(layout.chunk == 0 || layout.shares_local(), "chunks of {} and pages of {}",
             layout.chunk, layout.page);
  chunk_pages_ = layout.chunk == 0 ? 1 : static_cast<std::size_t>(layout.chunk / layout.page);
}

std::span<const std::uint64_t> DiskPrefixes::page_of(std::span<const std::uint64_t> keys,
                                                     std::size_t page) const {
  const auto size = static_cast<std::size_t>(cache_->layout().page);
  return keys.subspan(page * size, size);
}

std::size_t DiskPrefixes::whole_chunks(std::size_t pages) const {
  return pages / chunk_pages_ * chunk_pages_;
}

std::vector<PrefixStore::Name> DiskPrefixes::names_of(std::string_view tenant,
                                                      std::span<const std::uint64_t> keys,
                                                      std::size_t pages) const {
  std::vector<PrefixStore::Name> names;
  PrefixStore::Name name = store_->root(tenant);
  for (std::size_t page = 0; page < pages; ++page)
    names.push_back(name = store_->child(name, page_of(keys, page)));
  return names;
}

bool DiskPrefixes::restore(std::uint64_t id, std::string_view tenant,
                           std::span<const std::uint64_t> keys) {
  // The last position is always computed, for its logits.
  const auto size = static_cast<std::size_t>(cache_->layout().page);
  const std::size_t pages = keys.empty() ? 0 : whole_chunks((keys.size() - 1) / size);
  Restore wanted{.id = id,
                 .tenant = std::string(tenant),
                 .keys = {keys.begin(), keys.end()},
                 .names = names_of(tenant, keys, pages)};
  const NodeId root = cache_->hold_root(tenant);
  NodeId node = root;
  for (; wanted.done < pages; ++wanted.done) {
    node = cache_->find(node, page_of(keys, wanted.done));
    if (node == no_node) break;
  }
  cache_->drop(root);
  std::size_t there = wanted.done;
  while (there < pages && store_->has(wanted.names[there])) ++there;
  wanted.names.resize(whole_chunks(there));
  if (wanted.names.size() <= wanted.done) return false;
  restores_.push_back(std::move(wanted));
  return true;
}

void DiskPrefixes::cancel(std::uint64_t id) {
  std::erase_if(restores_, [&](const Restore& restore) { return restore.id == id; });
}

void DiskPrefixes::save(std::string_view tenant, std::span<const std::uint64_t> keys,
                        std::span<const NodeId> nodes) {
  const auto size = static_cast<std::size_t>(cache_->layout().page);
  const std::size_t pages = whole_chunks(std::min(nodes.size(), keys.size() / size));
  if (pages == 0 || saves_.size() >= saves_max) return;
  saves_.push_back({.keys = {keys.begin(), keys.end()},
                    .nodes = {nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(pages)},
                    .names = names_of(tenant, keys, pages)});
}

std::vector<std::uint64_t> DiskPrefixes::step(bool waits) {
  std::vector<std::uint64_t> ready;
  if (!restores_.empty() && restore_some(restores_.front())) {
    ready.push_back(restores_.front().id);
    restores_.pop_front();
  }
  if (!saves_.empty() && save_some(saves_.front(), waits && restores_.empty())) saves_.pop_front();
  return ready;
}

// True when it has come to its end, whole or not.
bool DiskPrefixes::restore_some(Restore& restore) {
  const Owner owner{Owner::Kind::sequence, restore.id};
  std::vector<NodeId> held{cache_->hold_root(restore.tenant)};
  const auto drop_all = [&] {
    for (auto node = held.rbegin(); node != held.rend(); ++node) cache_->drop(*node);
  };
  for (std::size_t page = 0; page < restore.done; ++page) {
    const NodeId node = cache_->find(held.back(), page_of(restore.keys, page));
    if (node == no_node) return drop_all(), true;
    cache_->hold(node);
    held.push_back(node);
  }
  bool ended = false;
  for (std::uint64_t bytes = 0; !ended && bytes < step_bytes;) {
    const auto keys = page_of(restore.keys, restore.done);
    const auto page = cache_->take_global(owner);
    if (!page) {
      ended = true;
    } else if (!store_->read(restore.names[restore.done], keys, kv_->global_page(*page))) {
      cache_->free_global(*page, owner);
      ended = true;
    } else {
      held.push_back(cache_->put(held.back(), keys, owner, *page, std::nullopt).node);
      bytes += kv_->global_page(*page).size();
      ended = ++restore.done == restore.names.size();
    }
  }
  drop_all();
  return ended;
}

// True when all is queued, or gone from memory.
bool DiskPrefixes::save_some(Save& save, bool waits) {
  for (std::uint64_t bytes = 0; bytes < step_bytes && save.done < save.names.size(); ++save.done) {
    const NodeId node = save.nodes[save.done];
    if (!cache_->contains(node)) return true;
    const auto page = kv_->global_page(cache_->page(node));
    const bool known = store_->has(save.names[save.done]);
    if (!store_->write(save.names[save.done], page_of(save.keys, save.done), page, waits))
      return false;
    if (!known) bytes += page.size();
  }
  return save.done == save.names.size();
}

}  // namespace herd::engine
