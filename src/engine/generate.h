// From a prompt to an answer: one token after the other until the model, a stop string, a limit or the user ends it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sampler.h"
#include "engine/session.h"
#include "text/tokenizer.h"

namespace herd::engine {

enum class FinishReason : std::uint8_t {
  stop,       // a stop token or a stop string
  length,     // max_tokens, or the context is full
  cancelled,  // the caller's stop_token
};
std::string_view name_of(FinishReason reason);

struct GenerateOptions {
  std::int64_t max_tokens = 512;
  SamplingOptions sampling;
  std::vector<std::string> stop;  // strings that end the answer and do not belong to it; none empty
  std::vector<std::int32_t> stop_tokens;  // the same for tokens
};

struct Answer {
  std::vector<std::int32_t> tokens;  // without the stop token
  std::string text;
  FinishReason finish_reason = FinishReason::stop;
  std::int64_t prompt_tokens = 0;
  std::int64_t reused_tokens = 0;  // of the prompt: were in the cache already
  double prefill_ms = 0;
  double decode_ms = 0;

  // Tokens a second; 0 when nothing was timed.
  [[nodiscard]] double prefill_tps() const;
  [[nodiscard]] double decode_tps() const;
};

// Called with each piece of the answer's text as it becomes certain: whole characters, nothing of a stop string.
using TakeText = std::function<void(std::string_view)>;

// Fails with the errors of Session and Sampler; what was said until then has been handed to `take_text`.
Result<Answer> generate(Session& session, const text::Tokenizer& tokenizer, const Prompt& prompt,
                        const GenerateOptions& options, const TakeText& take_text = {},
                        const Session::Progress& progress = {}, std::stop_token cancel = {});

// Finds stop strings in a text that arrives in pieces, and holds back what may become one.
class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {}

  // The text that is certain now; after found(), what came before the stop string.
  std::string push(std::string_view text);
  // What was held back, at the end of the answer.
  std::string finish();
  [[nodiscard]] bool found() const { return found_; }

 private:
  std::vector<std::string> strings_;
  std::string held_;
  bool found_ = false;
};

}  // namespace herd::engine
