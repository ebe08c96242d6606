#include "engine/speculate.h"

#include <algorithm>
#include <bit>

namespace herd::engine {

Speculator::Speculator(std::span<const std::int32_t> prompt,
                       std::span<const std::int32_t> prediction, std::int64_t longest)
    : follows_(!prediction.empty()), longest_(longest) {
  if (longest == 0) return;
  if (prompt.size() > prompt_tokens_max) prompt = prompt.last(prompt_tokens_max);
  for (const std::int32_t token : prompt) history_.push(token, true);
  for (const std::int32_t token : prediction) prediction_.push(token, false);
  if (follows_) length_ = longest;
}

std::span<const std::int32_t> Speculator::guess() {
  guesses_.clear();
  if (longest_ == 0) return guesses_;
  if (rest_ > 0) {
    --rest_;
    return guesses_;
  }
  auto take = [&](const Text& text, std::size_t from) {
    const std::size_t count =
        std::min(static_cast<std::size_t>(std::min(length_, longest_)), text.tokens.size() - from);
    guesses_.assign(text.tokens.begin() + static_cast<std::ptrdiff_t>(from),
                    text.tokens.begin() + static_cast<std::ptrdiff_t>(from + count));
  };
  from_prediction_ = false;
  if (!prediction_.tokens.empty()) {
    // It left the prediction: it may have come back to it, later than where it left.
    for (std::size_t length = longest_gram; !follows_ && length >= shortest_gram; --length)
      if (const std::size_t end = found_in(prediction_, length); end > 0) {
        prediction_at_ = end;
        follows_ = true;
      }
    if (follows_ && prediction_at_ < prediction_.tokens.size()) {
      from_prediction_ = true;
      take(prediction_, prediction_at_);
      return guesses_;
    }
  }
  for (std::size_t length = longest_gram; length >= shortest_gram; --length)
    if (const std::size_t end = found_in(history_, length); end > 0) {
      take(history_, end);
      break;
    }
  return guesses_;
}

// The place after the last earlier occurrence of the last `length` tokens; 0 for none.
std::size_t Speculator::found_in(const Text& text, std::size_t length) const {
  if (history_.tokens.size() < length) return 0;
  const auto last = std::span(history_.tokens).last(length);
  const auto found = text.end_of[length].find(gram(last));
  if (found == text.end_of[length].end()) return 0;
  const std::size_t end = found->second;
  const auto there = std::span(text.tokens).subspan(end - length, length);
  return end < text.tokens.size() && std::ranges::equal(there, last) ? end : 0;
}

void Speculator::push(std::int32_t token) {
  if (longest_ == 0) return;
  history_.push(token, true);
  ++answered_;
  if (!follows_) return;
  follows_ =
      prediction_at_ < prediction_.tokens.size() && prediction_.tokens[prediction_at_] == token;
  if (follows_) ++prediction_at_;
}

void Speculator::learn(std::int64_t checked, std::int64_t right) {
  if (checked == 0) return;
  if (right == checked) {
    length_ = std::min(longest_, length_ * 2);
    failures_ = 0;
  } else {
    length_ = std::max<std::int64_t>(1, right + 1);
    failures_ = right == 0 ? failures_ + 1 : 0;
  }
  // Wrong again and again: be quiet for a while, longer each time.
  if (failures_ >= 3)
    rest_ = std::min<std::int64_t>(64, 4 << std::min<std::int64_t>(4, failures_ - 3));
}

// With `later`, runs that end with the newest token are entered only when the next one comes: otherwise the last tokens
// would always be found where they stand.
void Speculator::Text::push(std::int32_t token, bool later) {
  tokens.push_back(token);
  const std::size_t until = later ? tokens.size() - 1 : tokens.size();
  for (; indexed < until; ++indexed)
    for (std::size_t length = shortest_gram; length <= longest_gram && length <= indexed + 1;
         ++length)
      end_of[length][gram(std::span(tokens).subspan(indexed + 1 - length, length))] = indexed + 1;
}

std::uint64_t Speculator::gram(std::span<const std::int32_t> last) {
  std::uint64_t hash = 0;
  for (const std::int32_t token : last)
    hash = (hash ^ static_cast<std::uint32_t>(token)) * 0x9E3779B97F4A7C15ull;
  return hash;
}

std::size_t DraftMeter::class_of(std::int64_t sequences) {
  return std::min<std::size_t>(15, std::bit_width(static_cast<std::uint64_t>(sequences)));
}

bool DraftMeter::wants(std::int64_t sequences) {
  constexpr std::int64_t enough = 8;       // samples of each kind before they are compared
  constexpr std::int64_t look_again = 64;  // steps
  Class& c = classes_[class_of(sequences)];
  ++c.steps;
  if (c.samples[0] < enough || c.samples[1] < enough) return c.samples[1] <= c.samples[0];
  const bool better = c.ms_per_token[1] < c.ms_per_token[0];
  return c.steps % look_again == 0 ? !better : better;
}

void DraftMeter::took(std::int64_t sequences, bool with_guesses, double ms, std::int64_t tokens) {
  if (tokens <= 0) return;
  constexpr double newest = 0.1;
  Class& c = classes_[class_of(sequences)];
  const std::size_t kind = with_guesses ? 1 : 0;
  const double each = ms / static_cast<double>(tokens);
  c.ms_per_token[kind] =
      c.samples[kind] == 0 ? each : (1 - newest) * c.ms_per_token[kind] + newest * each;
  ++c.samples[kind];
}

double DraftMeter::ms_per_token(std::int64_t sequences, bool with_guesses) const {
  return classes_[class_of(sequences)].ms_per_token[with_guesses ? 1 : 0];
}

}  // namespace herd::engine
