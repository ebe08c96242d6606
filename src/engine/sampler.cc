#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/check.h"
#include "base/rng.h"

namespace herd::engine {

Result<std::span<const Choice>> Sampler::choices(std::span<const float> logits_V,
                                                 std::span<const std::int32_t> prompt,
                                                 std::span<const std::int32_t> answer) {
  logits_.assign(logits_V.begin(), logits_V.end());
  for (std::size_t token = 0; token < logits_.size(); ++token)
    if (std::isnan(logits_[token]))
      return fail_with_hint(Code::numeric_error,
                            fmt::format("the logit of token {} is not a number", token),
                            "herd inspect MODEL --scan says whether a weight is none");
  penalise(prompt, answer);
  const auto best = std::ranges::max_element(logits_);
  if (best == logits_.end() || !std::isfinite(*best))
    return fail(Code::numeric_error, "no logit is finite");
  if (options_.temperature == 0.0) {
    choices_.assign(1, {static_cast<std::int32_t>(best - logits_.begin()), 1.0});
    return std::span<const Choice>(choices_);
  }
  choices_.clear();
  for (std::size_t token = 0; token < logits_.size(); ++token) {
    if (logits_[token] == -std::numeric_limits<float>::infinity())
      continue;  // not even by rounding
    const double distance = static_cast<double>(logits_[token] - *best);
    choices_.push_back(
        {static_cast<std::int32_t>(token), std::exp(distance / options_.temperature)});
  }
  keep_likeliest();
  double sum = 0;
  for (const Choice& choice : choices_) sum += choice.probability;
  for (Choice& choice : choices_) choice.probability /= sum;
  return std::span<const Choice>(choices_);
}

Result<std::int32_t> Sampler::sample(std::span<const float> logits_V,
                                     std::span<const std::int32_t> prompt,
                                     std::span<const std::int32_t> answer) {
  HERD_TRY(const std::span<const Choice> likely, choices(logits_V, prompt, answer));
  double left = uniform(static_cast<std::uint64_t>(options_.seed), answer.size());
  for (const Choice& choice : likely.first(likely.size() - 1)) {
    left -= choice.probability;
    if (left < 0) return choice.token;
  }
  return likely.back().token;
}

// Repetition divides positive logits and multiplies negative ones (Keskar et al. 2019); presence and frequency subtract
// (OpenAI's definition, answer only).
void Sampler::penalise(std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer) {
  const bool repeats = options_.repetition_penalty != 1.0;
  if (!repeats && options_.presence_penalty == 0.0 && options_.frequency_penalty == 0.0) return;
  std::unordered_map<std::int32_t, std::int64_t> counts;
  if (repeats)
    for (const std::int32_t token : prompt) counts.try_emplace(token, 0);
  for (const std::int32_t token : answer) ++counts[token];
  for (const auto& [token, count] : counts) {
    HERD_CHECK(token >= 0 && static_cast<std::size_t>(token) < logits_.size(), "token {}", token);
    auto logit = static_cast<double>(logits_[static_cast<std::size_t>(token)]);
    if (repeats)
      logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    if (count > 0)
      logit -= options_.presence_penalty + options_.frequency_penalty * static_cast<double>(count);
    logits_[static_cast<std::size_t>(token)] = static_cast<float>(logit);
  }
}

// top-k, then top-p, then min-p. A vocabulary is never sorted whole when its head is enough: a heap gives the likeliest
// one by one.
void Sampler::keep_likeliest() {
  const auto worse = [](const Choice& a, const Choice& b) {
    return a.probability != b.probability ? a.probability < b.probability : a.token > b.token;
  };
  const auto all = static_cast<std::int64_t>(choices_.size());
  const std::int64_t kept = options_.top_k > 0 ? std::min(options_.top_k, all) : all;
  if (kept < all) {
    std::ranges::nth_element(choices_, choices_.begin() + kept,
                             [&](const Choice& a, const Choice& b) { return worse(b, a); });
    choices_.resize(static_cast<std::size_t>(kept));
    // The sum below must not depend on how the selection ordered equal candidates.
    std::ranges::sort(choices_, {}, &Choice::token);
  }
  double sum = 0;
  for (const Choice& choice : choices_) sum += choice.probability;

  std::ranges::make_heap(choices_, worse);
  const double likeliest = choices_.front().probability;
  auto end = choices_.end();
  double mass = 0;
  while (end != choices_.begin() && mass < options_.top_p * sum) {
    if (choices_.front().probability < options_.min_p * likeliest) break;
    mass += choices_.front().probability;
    std::pop_heap(choices_.begin(), end, worse);
    --end;
  }
  if (end == choices_.end()) {  // top_p of 0 still leaves the likeliest
    std::pop_heap(choices_.begin(), end, worse);
    --end;
  }
  choices_.erase(choices_.begin(), end);
  std::ranges::reverse(choices_);
}

}  // namespace herd::engine
