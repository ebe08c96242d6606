// Who holds which page of keys and values. A page has one owner at a time: nobody, a sequence, or a stored prefix that
// several sequences may read. Numbers only; the memory behind them is nn::KvPool's. A state machine: no threads, no
// clock, and a wrong hand-over stops the program.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

namespace herd::engine {

using PageId = std::int32_t;

struct Owner {
  enum class Kind : std::uint8_t { nobody, sequence, prefix };
  Kind kind = Kind::nobody;
  std::uint64_t id = 0;  // the request's number, or the prefix's node

  auto operator<=>(const Owner&) const = default;
};

class Pages {
 public:
  explicit Pages(std::int64_t count);

  // A free page, now the owner's; nothing when none is free. The one freed last comes first: its memory is warm.
  std::optional<PageId> take(Owner owner);
  void give(PageId page, Owner from, Owner to);
  void release(PageId page, Owner from);

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(owner_.size()); }
  [[nodiscard]] std::int64_t num_free() const { return static_cast<std::int64_t>(free_.size()); }
  [[nodiscard]] Owner owner(PageId page) const { return owner_[static_cast<std::size_t>(page)]; }

 private:
  Owner& expect(PageId page, Owner from);

  std::vector<Owner> owner_;  // [pages]
  std::vector<PageId> free_;
};

}  // namespace herd::engine
