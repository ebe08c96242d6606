#include "grammar/state_classes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "grammar/plain_characters.h"

namespace herd::grammar {
namespace {

constexpr std::size_t known_max = 1u << 18;  // about 12 MiB
constexpr int calls_deep_max = 500;          // then a state is only like itself

// Adds the states behind the bytes of a range, each once. False when one of them cannot be read, or when a state on the
// way does more than read.
bool targets(const Compiled& compiled, std::uint32_t state, ByteRange range,
             std::vector<std::uint32_t>& out) {
  if (!compiled.is_plain(state)) return false;
  unsigned next = range.lo;
  for (const Edge& edge : compiled.edges(state)) {
    if (edge.hi < next) continue;
    if (edge.lo > next) return false;
    if (std::ranges::find(out, edge.target) == out.end()) out.push_back(edge.target);
    next = edge.hi + 1u;
    if (next > range.hi) return true;
  }
  return false;
}

}  // namespace

std::uint64_t StateClasses::of(std::uint32_t state, std::size_t looks) {
  looks_left_ = looks;
  if (known_.size() > known_max) known_.clear();
  return at(state, bytes_, 0);
}

bool StateClasses::plain_from(std::uint32_t state, std::size_t left) {
  if (!compiled_.is_plain(state)) return false;
  if (left == 0) return true;
  const std::size_t cost = compiled_.edges(state).size();
  const std::uint64_t place = std::uint64_t{state} << 8 | left;
  if (const auto found = plain_.find(place); found != plain_.end()) return found->second;
  if (plain_.size() > known_max) plain_.clear();
  bool all = looks_left_ >= cost;
  looks_left_ -= std::min(looks_left_, cost);
  std::vector<std::uint32_t> from;
  std::vector<std::uint32_t> to;
  for (const PlainCharacter& character : plain_characters) {
    if (!all) break;
    if (character.size() > left) continue;
    from.assign(1, state);
    for (const ByteRange& range : character) {
      to.clear();
      for (const std::uint32_t at : from) all = all && targets(compiled_, at, range, to);
      std::swap(from, to);
    }
    for (const std::uint32_t at : from) all = all && plain_from(at, left - character.size());
  }
  plain_.emplace(place, all);
  return all;
}

std::uint64_t StateClasses::at(std::uint32_t state, std::size_t left, int depth) {
  if (left == 0) return 1;
  const std::uint64_t place = std::uint64_t{state} << 8 | left;
  if (const auto found = known_.find(place); found != known_.end()) return found->second;
  std::vector<std::uint64_t> words;
  const std::size_t cost = compiled_.edges(state).size() + compiled_.calls(state).size();
  const bool looked = cost <= looks_left_;
  looks_left_ -= std::min(looks_left_, cost);
  if (!looked || depth > calls_deep_max) {
    words = {0, state};
  } else {
    words.push_back(compiled_.accepts(state) ? 3 : 2);
    for (const Edge& edge : compiled_.edges(state)) {
      words.push_back(std::uint64_t{edge.lo} << 8 | edge.hi);
      words.push_back(at(edge.target, left - 1, depth + 1));
    }
    for (const Compiled::Call& call : compiled_.calls(state)) {
      words.push_back(call.last ? 1u << 17 : 1u << 16);
      words.push_back(at(call.start, left, depth + 1));
      words.push_back(call.last ? 0 : at(call.target, left, depth + 1));
    }
  }
  const std::uint64_t hash = keyed_hash(key_, words);
  known_.emplace(place, hash);
  return hash;
}

}  // namespace herd::grammar
