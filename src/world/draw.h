// Random choices for one sample, the rule that divides train from held-out, and sentences with many surface forms.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "world/sample.h"

namespace herd::world {

// FNV-1a with a final mix; the same on every machine.
std::uint64_t hash_of(std::string_view text);

// Which split `subject` is on: `percent` of a kind's subjects are held out. The kind keeps the subjects of tasks apart.
Split split_of(std::string_view kind, std::string_view subject, int percent = 10);

// The stream of numbers of one attempt at one sample: a counter-based generator, so nothing else moves it.
class Draw {
 public:
  Draw(std::uint64_t seed, std::uint64_t task, std::uint64_t index, std::uint32_t attempt,
       Split split, const Sizes& sizes);

  [[nodiscard]] Split split() const { return split_; }
  [[nodiscard]] const Sizes& sizes() const { return sizes_; }

  std::uint32_t bits();
  int below(int n);                // 0 .. n-1, n >= 1
  int between(int low, int high);  // both included
  double real();                   // [0, 1)
  double real(double low, double high) { return low + (high - low) * real(); }
  bool chance(double p) { return real() < p; }
  int log_between(int low, int high);  // log-uniform, both included

  // sizes().items when it is set, else drawn log-uniformly from low to min(high, sizes().items_max).
  int items(int low, int high);
  // sizes().items when it is set, else what was drawn as usual, but at most sizes().items_max.
  [[nodiscard]] int items_of(int usual) const;

  template <typename Range>
  const auto& one(const Range& range) {
    HERD_CHECK(std::size(range) > 0, "nothing to choose from");
    return *(std::begin(range) + below(static_cast<int>(std::size(range))));
  }
  template <typename T>
  const T& one(std::initializer_list<T> list) {
    return *(list.begin() + below(static_cast<int>(list.size())));
  }
  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<int>(i)))]);
  }
  // Turns over one text or picture. What stands before the first question costs most of a sample's tokens, so training
  // asks up to `more` times where a held-out sample asks `usual` times.
  int turns(int usual, int more) {
    return split_ == Split::train ? between(2, more) : between(1, usual);
  }
  // n different places of 0 .. count-1, in random order. n <= count.
  std::vector<int> different(int n, int count);
  // n different elements of the range, in random order.
  template <typename Range>
  auto several(int n, const Range& range) {
    std::vector<std::decay_t<decltype(*std::begin(range))>> out;
    for (const int at : different(n, static_cast<int>(std::size(range))))
      out.push_back(*(std::begin(range) + at));
    return out;
  }

  // The one question that decides the split: is `subject` on this side? False: give up, another attempt follows.
  [[nodiscard]] bool fits(std::string_view kind, std::string_view subject, int percent = 10) const {
    return split_of(kind, subject, percent) == split_;
  }
  // For what stands beside the subject: training may not see what is held out, held-out samples may use all.
  [[nodiscard]] bool may_use(std::string_view kind, std::string_view subject,
                             int percent = 10) const {
    return split_ == Split::held_out || split_of(kind, subject, percent) == Split::train;
  }

  // A sentence of a pattern. "{a|b|c}" is one of them, "{a|}" may be left out; they nest. "$name" is a slot's value,
  // "$^name" the same with a capital letter. A backslash takes the next character as it is.
  using Slot = std::pair<std::string_view, std::string_view>;
  std::string say(std::string_view pattern, std::span<const Slot> slots);
  std::string say(std::string_view pattern, std::initializer_list<Slot> slots = {}) {
    return say(pattern, std::span<const Slot>(slots.begin(), slots.size()));
  }

 private:
  std::uint64_t seed_, low_, high_;
  Split split_;
  Sizes sizes_;
  std::array<std::uint32_t, 4> words_{};
  int left_ = 0;
};

}  // namespace herd::world
