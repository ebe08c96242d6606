#include "world/draw.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "base/rng.h"

namespace herd::world {
namespace {

std::uint64_t mixed(std::uint64_t x) {  // the finalizer of splitmix64
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

bool is_slot_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

// Where the alternative or the group that begins at `at` ends: a '|' or '}' of its own level.
std::size_t end_of_alternative(std::string_view pattern, std::size_t at) {
  for (int depth = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\') {
      ++at;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}') {
      if (depth-- == 0) return at;
    } else if (c == '|' && depth == 0) {
      return at;
    }
  }
  return pattern.size();
}

void append_slot(std::string& out, std::string_view pattern, std::size_t& at,
                 std::span<const Draw::Slot> slots) {
  const bool capital = at + 1 < pattern.size() && pattern[at + 1] == '^';
  at += capital ? 2 : 1;
  const std::size_t begin = at;
  while (at < pattern.size() && is_slot_letter(pattern[at])) ++at;
  const std::string_view name = pattern.substr(begin, at - begin);
  const auto slot = std::ranges::find(slots, name, &Draw::Slot::first);
  HERD_CHECK(slot != slots.end(), "no value for ${} in \"{}\"", name, pattern);
  const std::size_t first = out.size();
  out += slot->second;
  if (capital && first < out.size() && out[first] >= 'a' && out[first] <= 'z')
    out[first] = static_cast<char>(out[first] - 'a' + 'A');
}

void append_pattern(Draw& draw, std::string& out, std::string_view pattern,
                    std::span<const Draw::Slot> slots) {
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at];
    if (c == '\\' && at + 1 < pattern.size()) {
      out += pattern[at + 1];
      at += 2;
    } else if (c == '$') {
      append_slot(out, pattern, at, slots);
    } else if (c == '{') {
      std::array<std::string_view, 64> ways;
      std::size_t count = 0;
      do {
        const std::size_t begin = ++at;
        at = end_of_alternative(pattern, begin);
        HERD_CHECK(at < pattern.size() && count < ways.size(), "open or too wide: \"{}\"", pattern);
        ways[count++] = pattern.substr(begin, at - begin);
      } while (pattern[at] == '|');
      ++at;
      append_pattern(draw, out, ways[static_cast<std::size_t>(draw.below(static_cast<int>(count)))],
                     slots);
    } else {
      out += c;
      ++at;
    }
  }
}

}  // namespace

std::uint64_t hash_of(std::string_view text) { return mixed(fnv1a(text)); }

Split split_of(std::string_view kind, std::string_view subject, int percent) {
  const std::uint64_t hash = mixed(fnv1a(subject, fnv1a(":", fnv1a(kind))));
  return hash % 100 < static_cast<std::uint64_t>(percent) ? Split::held_out : Split::train;
}

// The counter: index below; above it the task's hash in the upper half, then attempt and block.
Draw::Draw(std::uint64_t seed, std::uint64_t task, std::uint64_t index, std::uint32_t attempt,
           Split split, const Sizes& sizes)
    : seed_(seed),
      low_(index),
      high_((task >> 32) << 32 | std::uint64_t{attempt} << 20),
      split_(split),
      sizes_(sizes) {}

std::uint32_t Draw::bits() {
  if (left_ == 0) {
    words_ = philox(seed_, low_, high_++);
    left_ = 4;
  }
  return words_[static_cast<std::size_t>(--left_)];
}

int Draw::below(int n) {
  HERD_CHECK(n >= 1, "below({})", n);
  return static_cast<int>(std::uint64_t{bits()} * static_cast<std::uint64_t>(n) >> 32);
}

int Draw::between(int low, int high) { return low + below(high - low + 1); }

double Draw::real() { return bits() * 0x1p-32; }

int Draw::log_between(int low, int high) {
  if (high <= low) return low;
  const double x = std::exp(real(std::log(low), std::log(high + 1.0)));
  return std::clamp(static_cast<int>(x), low, high);
}

int Draw::items(int low, int high) {
  if (sizes_.items > 0) return std::clamp(sizes_.items, low, high);
  return log_between(low, std::min(high, std::max(low, sizes_.items_max)));
}

int Draw::items_of(int usual) const {
  return sizes_.items > 0 ? sizes_.items : std::min(usual, sizes_.items_max);
}

std::vector<int> Draw::different(int n, int count) {
  HERD_CHECK(n <= count, "{} different ones of {}", n, count);
  std::vector<int> out;
  out.reserve(static_cast<std::size_t>(n));
  if (n * 4 < count) {  // few of many: draw again when it was there
    while (static_cast<int>(out.size()) < n)
      if (const int at = below(count); std::ranges::find(out, at) == out.end()) out.push_back(at);
    return out;
  }
  out.resize(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) out[static_cast<std::size_t>(i)] = i;
  for (int i = 0; i < n; ++i)
    std::swap(out[static_cast<std::size_t>(i)],
              out[static_cast<std::size_t>(between(i, count - 1))]);
  out.resize(static_cast<std::size_t>(n));
  return out;
}

std::string Draw::say(std::string_view pattern, std::span<const Slot> slots) {
  std::string out;
  out.reserve(pattern.size());
  append_pattern(*this, out, pattern, slots);
  return out;
}

}  // namespace herd::world
