// Multiple choice by log-probability: which of several answers the model finds likeliest after a question, as a sum and
// for each character of the answer. Nothing is generated, so a model that cannot hold a conversation can be asked too.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "engine/bundle.h"
#include "engine/session.h"

namespace herd::eval {

struct ChoiceQuestion {
  std::string question;
  std::vector<std::string> choices;  // two at least
  std::size_t answer = 0;            // which one is right
};

// Lines of {"question": "...", "choices": ["...", ...], "answer": 1}; the answer is an index from 0, a letter or the
// choice's text. Fails with missing_input, io_failed, or invalid_json naming the line.
Result<std::vector<ChoiceQuestion>> read_questions(const fs::path& path);

// ln of the probability of each continuation after the prompt, summed over its tokens, none of which is empty. Fails
// with the session's errors.
Result<std::vector<double>> continuation_logprobs(
    engine::Session& session, const engine::Prompt& prompt,
    std::span<const std::vector<std::int32_t>> continuations);

struct ChosenCase {
  std::vector<double> logprob;    // of each choice, in nats
  std::size_t by_sum = 0;         // the likeliest; the first of equals
  std::size_t by_characters = 0;  // the likeliest for its length in characters
};

struct ChoiceScore {
  std::int64_t cases = 0;
  std::int64_t right_by_sum = 0;
  std::int64_t right_by_characters = 0;
  double chance = 0;  // what guessing scores, as a share
  std::vector<ChosenCase> chosen;

  [[nodiscard]] double share(std::int64_t right) const;           // right / cases
  [[nodiscard]] double standard_error(std::int64_t right) const;  // sqrt(p (1 - p) / n)
};

// Asks the first `limit` questions: as a conversation whose answer is the choice, or, `plain`, as text in which the
// choice follows the question after a space, tokenised together. Calls `on_case` with the number done.
Result<ChoiceScore> choose(engine::Session& session, const engine::Bundle& bundle,
                           std::span<const ChoiceQuestion> questions, bool plain,
                           const std::function<void(std::int64_t)>& on_case = {});

}  // namespace herd::eval
