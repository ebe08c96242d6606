#include "engine/pages.h"

#include "base/check.h"

namespace herd::engine {

Pages::Pages(std::int64_t count) : owner_(static_cast<std::size_t>(count)) {
  for (std::int64_t page = count; page > 0; --page) free_.push_back(static_cast<PageId>(page - 1));
}

std::optional<PageId> Pages::take(Owner owner) {
  HERD_CHECK(owner.kind != Owner::Kind::nobody, "a page for nobody");
  if (free_.empty()) return std::nullopt;
  const PageId page = free_.back();
  free_.pop_back();
  expect(page, {}) = owner;
  return page;
}

void Pages::give(PageId page, Owner from, Owner to) {
  HERD_CHECK(from.kind != Owner::Kind::nobody && to.kind != Owner::Kind::nobody, "page {}", page);
  expect(page, from) = to;
}

void Pages::release(PageId page, Owner from) {
  HERD_CHECK(from.kind != Owner::Kind::nobody, "page {} is free already", page);
  expect(page, from) = {};
  free_.push_back(page);
}

Owner& Pages::expect(PageId page, Owner from) {
  HERD_CHECK(page >= 0 && static_cast<std::size_t>(page) < owner_.size(), "page {} of {}", page,
             owner_.size());
  Owner& owner = owner_[static_cast<std::size_t>(page)];
  HERD_CHECK(owner == from, "page {} is of {} {}, not of {} {}", page, static_cast<int>(owner.kind),
             owner.id, static_cast<int>(from.kind), from.id);
  return owner;
}

}  // namespace herd::engine
