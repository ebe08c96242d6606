// All pieces lie in one row of cells, a cell a byte, with a border between pieces. A token stands in its first cell and
// in its last one; its length leads from there to both neighbours, so no links are stored. Each pair of tokens knows
// its frequency and the cells where it began when it arose. Places are not taken out when a neighbour is merged away;
// instead a place counts only if both tokens still stand there.
//
// Why that is enough: a pair (l, r) arises in one step only, the one that makes the younger of the two, so its places
// are written once, in ascending order, and its frequency only falls afterwards. No token is made twice by different
// merges either: inside a span whose borders no merge has crossed, every step does what it does to the span alone, so
// two spans with the same bytes look alike at any time.
#include "text/bpe_training.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <limits>
#include <queue>

#include "base/check.h"
#include "base/limits.h"
#include "text/byte_alphabet.h"

namespace herd::text {
namespace {

constexpr std::int32_t border = -1;
constexpr std::int32_t inside = -2;  // of a token, neither its first cell nor its last

std::uint64_t key_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

struct Pair {
  std::int64_t frequency = 0;
  std::vector<std::uint32_t> places;
};

// A pair with the frequency it had when it was queued; the true one is the same or less.
struct Candidate {
  std::int64_t frequency;
  std::uint64_t key;

  // Whether `other` goes first.
  bool operator<(const Candidate& other) const {
    return frequency != other.frequency ? frequency < other.frequency : key > other.key;
  }
};

// What one step does to the pairs of a token with one of the two that are merged and with what they become. One such
// record for each token as the neighbour on the left, one for the right.
struct Change {
  std::int64_t lost = 0;
  std::int64_t gained = 0;
  std::uint32_t places = 0;
};

class Side {
 public:
  Change& of(std::int32_t neighbour) {
    Change& change = changes_[static_cast<std::size_t>(neighbour)];
    if (change.lost == 0 && change.gained == 0 && change.places == 0) touched_.push_back(neighbour);
    return change;
  }
  void gain(std::int32_t neighbour, std::int64_t weight, std::uint32_t place) {
    Change& change = of(neighbour);
    change.gained += weight;
    ++change.places;
    places_.emplace_back(neighbour, place);
  }
  void resize(std::size_t tokens) { changes_.resize(tokens); }

  [[nodiscard]] const std::vector<std::int32_t>& touched() const { return touched_; }
  [[nodiscard]] const std::vector<std::pair<std::int32_t, std::uint32_t>>& places() const {
    return places_;
  }
  void clear() {
    for (const std::int32_t neighbour : touched_)
      changes_[static_cast<std::size_t>(neighbour)] = {};
    touched_.clear();
    places_.clear();
  }

 private:
  std::vector<Change> changes_;  // by token
  std::vector<std::int32_t> touched_;
  std::vector<std::pair<std::int32_t, std::uint32_t>> places_;  // in the order of the row
};

class Trainer {
 public:
  Trainer(const PieceCounts& counts, std::int64_t min_frequency)
      : counts_(counts), min_frequency_(min_frequency) {
    for (const unsigned char byte : llama4_bytes()) {
      id_of_byte_[byte] = static_cast<std::int32_t>(content_.tokens.size());
      content_.tokens.emplace_back(1, static_cast<char>(byte));
    }
    lengths_.assign(256, 1);
  }

  // False when there are more different pieces than places can be numbered.
  bool lay_out() {
    std::uint64_t cells = 1;
    for (std::size_t i = 0; i < counts_.size(); ++i)
      if (counts_.piece(i).size() > 1) cells += counts_.piece(i).size() + 1;
    if (cells > std::numeric_limits<std::uint32_t>::max()) return false;
    cells_.reserve(cells);
    piece_of_.reserve(cells);
    cells_.push_back(border);
    piece_of_.push_back(0);
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      const std::string_view piece = counts_.piece(i);
      if (piece.size() < 2) continue;
      for (const char c : piece) cells_.push_back(id_of_byte_[static_cast<unsigned char>(c)]);
      cells_.push_back(border);
      piece_of_.resize(cells_.size(), static_cast<std::uint32_t>(i));
    }
    find_byte_pairs();
    return true;
  }

  // Makes the next token; false when no pair is frequent enough.
  bool step() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const auto found = pairs_.find(top.key);
      if (found == pairs_.end()) continue;
      if (found->second.frequency != top.frequency) {
        queue_.push({found->second.frequency, top.key});
        continue;
      }
      const std::vector<std::uint32_t> places = std::move(found->second.places);
      pairs_.erase(found);
      merge(static_cast<std::int32_t>(top.key >> 32), static_cast<std::int32_t>(top.key), places);
      return true;
    }
    return false;
  }

  [[nodiscard]] std::size_t tokens() const { return content_.tokens.size(); }
  TokenizerContent take() { return std::move(content_); }

 private:
  [[nodiscard]] std::uint32_t length_of(std::int32_t token) const {
    return lengths_[static_cast<std::size_t>(token)];
  }

  void find_byte_pairs() {
    std::vector<Pair> found(256 * 256);
    std::vector<std::uint32_t> places(found.size());
    const auto at = [&](std::size_t cell) {
      return static_cast<std::size_t>(cells_[cell]) << 8 |
             static_cast<std::size_t>(cells_[cell + 1]);
    };
    const auto is_pair = [&](std::size_t cell) {
      return cells_[cell] >= 0 && cells_[cell + 1] >= 0;
    };
    for (std::size_t cell = 0; cell + 1 < cells_.size(); ++cell) {
      if (!is_pair(cell)) continue;
      ++places[at(cell)];
      found[at(cell)].frequency += weight_at(cell);
    }
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i].frequency >= min_frequency_) found[i].places.reserve(places[i]);
    for (std::size_t cell = 0; cell + 1 < cells_.size(); ++cell) {
      if (!is_pair(cell)) continue;
      Pair& pair = found[at(cell)];
      if (pair.frequency >= min_frequency_) pair.places.push_back(static_cast<std::uint32_t>(cell));
    }
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i].frequency >= min_frequency_)
        put(static_cast<std::int32_t>(i >> 8), static_cast<std::int32_t>(i & 255),
            std::move(found[i]));
  }

  [[nodiscard]] std::int64_t weight_at(std::size_t cell) const {
    return static_cast<std::int64_t>(counts_.count(piece_of_[cell]));
  }

  void put(std::int32_t left, std::int32_t right, Pair pair) {
    queue_.push({pair.frequency, key_of(left, right)});
    pairs_.emplace(key_of(left, right), std::move(pair));
  }

  void merge(std::int32_t left, std::int32_t right, const std::vector<std::uint32_t>& places) {
    const auto made = static_cast<std::int32_t>(tokens());
    content_.merges.emplace_back(left, right);
    content_.tokens.push_back(content_.tokens[static_cast<std::size_t>(left)] +
                              content_.tokens[static_cast<std::size_t>(right)]);
    lengths_.push_back(length_of(left) + length_of(right));
    before_.resize(tokens());
    after_.resize(tokens());
    for (const std::uint32_t place : places) merge_at(place, left, right, made);
    // First what arises: where the merged pairs followed each other, some of it is lost again at once.
    gain(before_, [&](std::int32_t neighbour) { return std::pair(neighbour, made); });
    gain(after_, [&](std::int32_t neighbour) { return std::pair(made, neighbour); });
    for (const std::int32_t neighbour : before_.touched())
      lose(neighbour, left, before_.of(neighbour).lost);
    for (const std::int32_t neighbour : after_.touched())
      lose(right, neighbour, after_.of(neighbour).lost);
    before_.clear();
    after_.clear();
  }

  void merge_at(std::uint32_t place, std::int32_t left, std::int32_t right, std::int32_t made) {
    if (cells_[place] != left) return;
    const std::uint32_t middle = place + length_of(left);
    if (cells_[middle] != right) return;
    const std::uint32_t end = middle + length_of(right);
    const std::int64_t weight = weight_at(place);
    if (const std::int32_t neighbour = cells_[place - 1]; neighbour >= 0) {
      // Behind what has just been made there is no older pair to lose, but (made, left) was a pair for a moment.
      if (neighbour == made)
        after_.of(left).gained -= weight;
      else
        before_.of(neighbour).lost += weight;
      before_.gain(neighbour, weight, place - length_of(neighbour));
    }
    if (const std::int32_t neighbour = cells_[end]; neighbour >= 0) {
      after_.of(neighbour).lost += weight;
      after_.gain(neighbour, weight, place);
    }
    cells_[middle - 1] = inside;
    cells_[middle] = inside;
    cells_[place] = made;
    cells_[end - 1] = made;
  }

  // The pairs that `made` is in from now on, those of them that can ever become a token.
  template <typename Sides>
  void gain(Side& side, const Sides& pair_with) {
    bool any = false;
    for (const std::int32_t neighbour : side.touched()) {
      Change& change = side.of(neighbour);
      const auto [left, right] = pair_with(neighbour);
      const bool wanted = change.gained >= min_frequency_ &&
                          length_of(left) + length_of(right) <= limits::token_bytes_max;
      if (!wanted) {
        change.gained = 0;
        continue;
      }
      any = true;
      Pair pair{.frequency = change.gained, .places = {}};
      pair.places.reserve(change.places);
      put(left, right, std::move(pair));
    }
    if (!any) return;
    for (const auto& [neighbour, place] : side.places()) {
      if (side.of(neighbour).gained == 0) continue;
      const auto [left, right] = pair_with(neighbour);
      pairs_.find(key_of(left, right))->second.places.push_back(place);
    }
  }

  void lose(std::int32_t left, std::int32_t right, std::int64_t weight) {
    if (weight == 0) return;
    const auto found = pairs_.find(key_of(left, right));
    if (found == pairs_.end()) return;  // too rare already, or the pair that is being merged
    found->second.frequency -= weight;
    if (found->second.frequency < min_frequency_) pairs_.erase(found);
  }

  const PieceCounts& counts_;
  std::int64_t min_frequency_;
  TokenizerContent content_;
  std::array<std::int32_t, 256> id_of_byte_{};
  std::vector<std::uint32_t> lengths_;  // of a token in bytes
  std::vector<std::int32_t> cells_;
  std::vector<std::uint32_t> piece_of_;  // which piece a cell belongs to
  boost::unordered_flat_map<std::uint64_t, Pair> pairs_;
  std::priority_queue<Candidate> queue_;
  Side before_, after_;
};

}  // namespace

Result<void> check_training(const BpeTraining& options) {
  HERD_CHECK(!options.specials.empty(), "no special tokens");
  const auto smallest = static_cast<std::int64_t>(256 + options.specials.size());
  if (options.vocabulary < smallest)
    return fail(Code::out_of_range,
                "a vocabulary of {} is too small: 256 bytes and {} special tokens need {}",
                options.vocabulary, options.specials.size(), smallest);
  if (static_cast<std::uint64_t>(options.vocabulary) > limits::vocabulary_max)
    return fail(Code::out_of_range, "a vocabulary of {} is too large: at most {} is possible",
                options.vocabulary, limits::vocabulary_max);
  return {};
}

Result<TokenizerContent> train_bpe(const PieceCounts& counts, const BpeTraining& options,
                                   const std::function<void(std::uint64_t)>& progress) {
  HERD_TRY_VOID(check_training(options));
  const auto wanted = static_cast<std::size_t>(options.vocabulary) - options.specials.size();
  const std::uint64_t min_frequency =
      std::clamp<std::uint64_t>(options.min_frequency, 1, 1ull << 62);
  Trainer trainer(counts, static_cast<std::int64_t>(min_frequency));
  if (!trainer.lay_out())
    return fail(Code::out_of_range, "the different pieces of the text have more than 4 GiB");
  constexpr std::size_t tokens_a_call = 64;
  std::size_t told = trainer.tokens();
  while (trainer.tokens() < wanted && trainer.step()) {
    if (!progress || (trainer.tokens() - told < tokens_a_call && trainer.tokens() < wanted))
      continue;
    progress(trainer.tokens() - told);
    told = trainer.tokens();
  }
  if (trainer.tokens() < wanted)
    return fail_with_hint(
        Code::out_of_range,
        fmt::format("the text is too small for a vocabulary of {}: it is good for {} (pairs of "
                    "tokens that occur {} times or more are used up)",
                    options.vocabulary, trainer.tokens() + options.specials.size(), min_frequency),
        "more text, a smaller vocabulary, or a smaller minimal frequency");
  TokenizerContent content = trainer.take();
  content.specials = options.specials;
  content.split = counts.split();
  return content;
}

}  // namespace herd::text
