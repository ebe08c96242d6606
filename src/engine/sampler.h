// Choosing the next token from logits. The draw depends on (seed, position) alone, so an answer does not change with
// what else is being generated.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/options.h"
#include "base/result.h"

namespace herd::engine {

// Applied in this order, as Hugging Face's and vLLM's samplers do: penalties, temperature, top-k, top-p, min-p.
struct SamplingOptions {
  double temperature = 0.6;
  std::int64_t top_k = 0;
  double top_p = 0.9;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  double presence_penalty = 0.0;
  double frequency_penalty = 0.0;
  std::int64_t seed = 0;

  static constexpr auto fields() {
    using O = SamplingOptions;
    return option_list(
        option("temperature", &O::temperature, "0 always takes the likeliest token", Range{0, 2}),
        option("top_k", &O::top_k, "choose among the k likeliest; 0 for all", Range{0, 1 << 30}),
        option("top_p", &O::top_p, "choose among the likeliest that hold this share together",
               Range{0, 1}),
        option("min_p", &O::min_p, "leave out what is less likely than this share of the likeliest",
               Range{0, 1}),
        option("repetition_penalty", &O::repetition_penalty,
               "divides the scores of tokens seen before; 1 for none", Range{0.01, 10}),
        option("presence_penalty", &O::presence_penalty,
               "lowers the scores of tokens already in the answer", Range{-2, 2}),
        option("frequency_penalty", &O::frequency_penalty, "lowers them once more for each time",
               Range{-2, 2}),
        option("seed", &O::seed, "of the random numbers; the same seed gives the same answer",
               Range{0, 9'007'199'254'740'991}));
  }
};

// One token that may come next, and its probability among those that may.
struct Choice {
  std::int32_t token = 0;
  double probability = 0;
};

class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options) : options_(options) {}

  // The tokens that may come next, likeliest first (ties to the lowest id); probabilities sum to 1. With temperature 0
  // there is one. Minus infinity never comes. `prompt` counts for the repetition penalty, `answer` for all three.
  // Fails with numeric_error when a logit is NaN or none is finite. Valid until the next call.
  Result<std::span<const Choice>> choices(std::span<const float> logits_V,
                                          std::span<const std::int32_t> prompt,
                                          std::span<const std::int32_t> answer);

  // Draws one of them: the draw's counter is the answer's length.
  Result<std::int32_t> sample(std::span<const float> logits_V, std::span<const std::int32_t> prompt,
                              std::span<const std::int32_t> answer);

 private:
  void penalise(std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer);
  void keep_likeliest();

  SamplingOptions options_;
  std::vector<float> logits_;
  std::vector<Choice> choices_;  // probability: a weight until they are normalised
};

}  // namespace herd::engine
