#include "engine/holding.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace herd::engine {

std::string_view sentence_of(ReuseEnd end) {
  switch (end) {
    case ReuseEnd::all:
      return "the last tokens are always computed again";
    case ReuseEnd::new_text:
      return "what follows was not stored";
    case ReuseEnd::local_gone:
      return "local layers had to begin their chunk again";
    case ReuseEnd::not_allowed:
      return "the request or the server does without stored prefixes";
  }
  return "";
}

Holding::Holding(PrefixCache& cache, std::uint64_t id, std::string_view tenant, bool stores)
    : cache_(&cache), id_(id), stores_(stores), root_(cache.hold_root(tenant)) {}

Holding::Holding(Holding&& other) noexcept
    : cache_(other.cache_),
      id_(other.id_),
      stores_(other.stores_),
      root_(std::exchange(other.root_, no_node)),
      length_(std::exchange(other.length_, 0)),
      global_(std::exchange(other.global_, {})),
      nodes_(std::exchange(other.nodes_, {})),
      local_start_(other.local_start_),
      local_(std::exchange(other.local_, {})),
      local_nodes_(std::exchange(other.local_nodes_, {})) {}

Holding::~Holding() {
  if (root_ == no_node) return;
  if (!cache_->faults().has(Fault::cancel_keeps_pages)) release();
  cache_->drop(root_);
}

Holding::Match Holding::match(std::span<const std::uint64_t> keys) const {
  const KvLayout& layout = cache_->layout();
  Match match{.length = length_};
  if (!stores_) return {.length = length_, .end = ReuseEnd::not_allowed};
  if (length_ % layout.page != 0) return match;
  // How far the stored blocks go, and the furthest place on the way where a sequence can go on.
  std::int64_t most = static_cast<std::int64_t>(keys.size());
  if (!cache_->faults().has(Fault::reuses_the_last_token)) --most;
  NodeId node = last_node();
  std::int64_t at = length_, pages = 0, unused = 0, unused_local = 0;
  bool chunk_whole = true;  // local pages are there from the chunk's start, or from what is held
  match.end = ReuseEnd::new_text;
  for (;;) {
    if (at + layout.page > most) {
      match.end = ReuseEnd::all;
      break;
    }
    node = cache_->find(
        node, keys.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(layout.page)));
    if (node == no_node) break;
    at += layout.page;
    ++pages;
    unused += !cache_->used(node);
    const bool local = cache_->local(node).has_value();
    chunk_whole = chunk_whole && local;
    unused_local += local && !cache_->used_local(node);
    bool enters = layout.chunk == 0 || at % layout.chunk == 0;
    if (enters) unused_local = 0;
    if (layout.shares_local() && chunk_whole) enters = true;
    if (layout.chunk > 0 && at % layout.chunk == 0) chunk_whole = true;
    if (cache_->faults().has(Fault::resumes_without_local_pages)) enters = true;
    if (enters)
      match = {.length = at,
               .pages = pages,
               .unused_global = unused,
               .unused_local = unused_local,
               .end = match.end};
  }
  if (at > match.length) match.end = ReuseEnd::local_gone;
  return match;
}

ReuseEnd Holding::adopt(std::span<const std::uint64_t> keys) {
  const KvLayout& layout = cache_->layout();
  const Match found = match(keys);
  if (found.length == length_) return found.end;
  HERD_CHECK(global_.size() == nodes_.size(), "pages of its own before stored ones");
  NodeId node = last_node();
  while (length_ < found.length) {
    node = cache_->find(node, keys.subspan(static_cast<std::size_t>(length_),
                                           static_cast<std::size_t>(layout.page)));
    cache_->hold(node);
    nodes_.push_back(node);
    global_.push_back(cache_->page(node));
    if (layout.chunk > 0) enter_chunk(length_);
    length_ += layout.page;
    // Local pages of the chunk in which it will go on.
    const bool last_chunk =
        layout.shares_local() && found.length < local_start_ + layout.chunk && cache_->local(node);
    if (last_chunk) {
      cache_->hold_local(node);
      local_.push_back(*cache_->local(node));
      local_nodes_.push_back(node);
    }
  }
  if (layout.chunk > 0) enter_chunk(length_);
  return found.end;
}

void Holding::enter_chunk(std::int64_t position) {
  const std::int64_t chunk = cache_->layout().chunk;
  const std::int64_t start = position / chunk * chunk;
  if (start == local_start_) return;
  if (!cache_->faults().has(Fault::keeps_local_pages_across_chunks)) drop_local();
  local_start_ = start;
}

bool Holding::reserve(std::int64_t end) {
  const KvLayout& layout = cache_->layout();
  HERD_CHECK(end > length_, "positions {} to {}", length_, end);
  if (layout.chunk > 0) {
    enter_chunk(length_);
    HERD_CHECK(end <= local_start_ + layout.chunk, "positions {} to {} cross a chunk of {}",
               length_, end, layout.chunk);
    const std::int64_t wanted = layout.global_pages(end - local_start_);
    while (static_cast<std::int64_t>(local_.size()) < wanted) {
      const auto page = cache_->take_local(owner());
      if (!page) return false;
      local_.push_back(*page);
      local_nodes_.push_back(no_node);
    }
  }
  while (static_cast<std::int64_t>(global_.size()) < layout.global_pages(end)) {
    const auto page = cache_->take_global(owner());
    if (!page) return false;
    global_.push_back(*page);
  }
  return true;
}

void Holding::commit(std::span<const std::uint64_t> keys, std::int64_t length) {
  const KvLayout& layout = cache_->layout();
  HERD_CHECK(length >= length_ && length <= static_cast<std::int64_t>(keys.size()),
             "length {} after {}", length, length_);
  length_ = length;
  if (!stores_) return;
  const std::int64_t full = cache_->faults().has(Fault::stores_before_computed)
                                ? static_cast<std::int64_t>(keys.size())
                                : length_;
  for (auto block = static_cast<std::int64_t>(nodes_.size());
       (block + 1) * layout.page <= full && block < static_cast<std::int64_t>(global_.size());
       ++block) {
    const auto at = static_cast<std::size_t>(block);
    // Its local page, where that holds the same positions and is still there.
    const std::int64_t local = (block * layout.page - local_start_) / layout.page;
    const bool has_local = layout.shares_local() && block * layout.page >= local_start_ &&
                           local < static_cast<std::int64_t>(local_.size()) &&
                           local_nodes_[static_cast<std::size_t>(local)] == no_node;
    const auto stored = cache_->put(
        last_node(),
        keys.subspan(at * static_cast<std::size_t>(layout.page),
                     static_cast<std::size_t>(layout.page)),
        owner(), global_[at],
        has_local ? std::optional(local_[static_cast<std::size_t>(local)]) : std::nullopt);
    nodes_.push_back(stored.node);
    global_[at] = stored.page;
    if (has_local) {
      local_[static_cast<std::size_t>(local)] = *stored.local;
      local_nodes_[static_cast<std::size_t>(local)] = stored.node;
    }
  }
}

void Holding::drop_local() {
  for (std::size_t i = 0; i < local_.size(); ++i) {
    if (local_nodes_[i] == no_node)
      cache_->free_local(local_[i], owner());
    else
      cache_->drop_local(local_nodes_[i]);
  }
  local_.clear();
  local_nodes_.clear();
}

void Holding::release() {
  drop_local();
  local_start_ = 0;
  for (std::size_t i = nodes_.size(); i < global_.size(); ++i)
    cache_->free_global(global_[i], owner());
  // From the leaf up, so that no node above a used one is without users.
  if (!cache_->faults().has(Fault::finish_keeps_prefix_held))
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) cache_->drop(*node);
  nodes_.clear();
  global_.clear();
  length_ = 0;
}

}  // namespace herd::engine
