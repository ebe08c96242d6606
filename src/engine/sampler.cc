#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/check.h"
#include "base/rng.h"

namespace herd::engine {

Result<std::int32_t> Sampler::sample(std::span<const float> logits_V,
                                     std::span<const std::int32_t> prompt,
                                     std::span<const std::int32_t> answer) {
  logits_.assign(logits_V.begin(), logits_V.end());
  for (std::size_t token = 0; token < logits_.size(); ++token)
    if (std::isnan(logits_[token]))
      return fail(Code::numeric_error, "the logit of token {} is not a number", token);
  penalise(prompt, answer);
  const auto best = std::ranges::max_element(logits_);
  if (!std::isfinite(*best)) return fail(Code::numeric_error, "no logit is finite");
  // Ties go to the lowest id, as argmax does everywhere else.
  if (options_.temperature == 0.0 || options_.top_k == 1)
    return static_cast<std::int32_t>(best - logits_.begin());
  return draw(answer.size());
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

std::int32_t Sampler::draw(std::uint64_t position) {
  candidates_.clear();
  for (std::size_t token = 0; token < logits_.size(); ++token)
    candidates_.push_back({logits_[token], static_cast<std::int32_t>(token)});
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  const auto vocabulary = static_cast<std::int64_t>(candidates_.size());
  const std::int64_t kept = options_.top_k > 0 ? std::min(options_.top_k, vocabulary) : vocabulary;
  if (kept < vocabulary) {
    std::ranges::nth_element(candidates_, candidates_.begin() + kept, better);
    candidates_.resize(static_cast<std::size_t>(kept));
  }
  std::ranges::sort(candidates_, better);

  weights_.clear();
  double sum = 0;
  for (const Candidate& candidate : candidates_) {
    const double distance = static_cast<double>(candidate.logit - candidates_.front().logit);
    weights_.push_back(std::exp(distance / options_.temperature));
    sum += weights_.back();
  }
  // top-p: the smallest head of the distribution that holds p of the mass; always the first.
  std::size_t end = weights_.size();
  double mass = 0;
  for (std::size_t i = 0; i < end; ++i) {
    mass += weights_[i];
    if (mass >= options_.top_p * sum) end = i + 1;
  }
  // min-p: tokens at least min_p times as likely as the first.
  while (end > 1 && weights_[end - 1] < options_.min_p * weights_.front()) --end;

  double total = 0;
  for (std::size_t i = 0; i < end; ++i) total += weights_[i];
  double left = uniform(static_cast<std::uint64_t>(options_.seed), position) * total;
  for (std::size_t i = 0; i + 1 < end; ++i) {
    left -= weights_[i];
    if (left < 0) return candidates_[i].token;
  }
  return candidates_[end - 1].token;
}

}  // namespace herd::engine
