// Choosing the next token from logits. The draw depends on (seed, position) alone, so an answer does not change with what
// else is being generated.
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
};

class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options) : options_(options) {}

  // `prompt` tokens count for the repetition penalty, `answer` tokens for all three.
  // Fails with numeric_error when a logit is NaN or no logit is finite.
  Result<std::int32_t> sample(std::span<const float> logits_V, std::span<const std::int32_t> prompt,
                              std::span<const std::int32_t> answer);

 private:
  struct Candidate {
    float logit = 0;
    std::int32_t token = 0;
  };
  void penalise(std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer);
  [[nodiscard]] std::int32_t draw(std::uint64_t position);

  SamplingOptions options_;
  std::vector<float> logits_;
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace herd::engine
