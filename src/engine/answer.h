// What is asked of an answer, what an answer is, and how it grows token by token. Whoever runs the model, for one
// request (generate.h) or for many (engine.h), writes answers with the Writer here; so they are the same.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/answer_grammar.h"
#include "engine/sampler.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace herd::engine {

enum class FinishReason : std::uint8_t {
  stop,       // a stop token or a stop string
  length,     // max_tokens, or the context is full
  cancelled,  // whoever asked gave up
};
std::string_view name_of(FinishReason reason);

struct GenerateOptions {
  std::int64_t max_tokens = 512;
  SamplingOptions sampling;
  std::vector<std::string> stop;  // strings that end the answer and do not belong to it; none empty
  std::vector<std::int32_t> stop_tokens;       // the same for tokens
  std::map<std::int32_t, float> logit_bias{};  // added to logits; -100 and less never, see Writer
  std::int64_t min_tokens = 0;     // before so many, neither stop tokens nor stop strings end it
  bool ignore_eos = false;         // stop tokens end nothing at all
  std::int64_t top_logprobs = -1;  // -1 none, 0 the chosen token's, n also those of the n likeliest
  AnswerGrammarPtr grammar{};      // that the answer follows; none for any text
};

struct TopToken {
  std::int32_t token = 0;
  double logprob = 0;
};

// One more token of an answer. Logarithms are natural and of the model's own distribution: before bias, penalties,
// temperature and truncation.
struct TokenEvent {
  std::int32_t token = 0;
  std::string text;    // certain since this token; may be empty, may hold earlier tokens' text
  double logprob = 0;  // where top_logprobs >= 0, else 0
  std::vector<TopToken> top;  // likeliest first; the chosen one only where it belongs there
};

struct Answer {
  std::vector<std::int32_t> tokens;  // without the stop token
  std::string text;
  std::string tail;  // the end of `text` that no token event carried: what was held back
  FinishReason finish_reason = FinishReason::stop;
  std::string stop_string;                 // the stop string that ended it; else empty
  std::optional<std::int32_t> stop_token;  // the stop token that ended it
  TokenEvent stop_event;                   // that token with what was asked about it; no text
  std::int64_t prompt_tokens = 0;
  std::int64_t reused_tokens = 0;  // of the prompt: were in the cache already
  std::string reuse_note;          // why the rest was not; a sentence without a full stop, or empty
  double queue_ms = 0;             // waited until first admitted
  double prefill_ms = 0;           // from then to the first token
  double decode_ms = 0;            // from the first token to the last
  std::int64_t preemptions = 0;    // how often it had to make room and was computed again
  std::int64_t drafted_tokens = 0;              // guessed in advance,
  std::int64_t accepted_tokens = 0;             // and right
  std::int64_t accepted_prediction_tokens = 0;  // the same for the request's own prediction
  std::int64_t rejected_prediction_tokens = 0;
  std::int64_t forced_tokens = 0;  // that the grammar left no choice about

  // Tokens a second; 0 when nothing was timed.
  [[nodiscard]] double prefill_tps() const;
  [[nodiscard]] double decode_tps() const;
};

// Finds stop strings in a text that arrives in pieces, and holds back what may become one.
class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {}

  // The text that is certain now; after found(), what came before the stop string.
  std::string push(std::string_view text);
  // What was held back, at the end of the answer.
  std::string finish();
  [[nodiscard]] bool found() const { return found_.has_value(); }
  // Which one; the earliest in the text, of several there the first of the list. Only after found().
  [[nodiscard]] const std::string& which() const { return strings_[*found_]; }

 private:
  std::vector<std::string> strings_;
  std::string held_;
  std::optional<std::size_t> found_;
};

// A token that was drawn, with what was asked about it.
struct Drawn {
  std::int32_t token = 0;
  double logprob = 0;
  std::vector<TopToken> top;
};

class Writer {
 public:
  // `options` and `prompt` are copied; `tokenizer` must outlive it.
  Writer(const GenerateOptions& options, const text::Tokenizer& tokenizer,
         std::span<const std::int32_t> prompt);

  // Draws the token that follows what is written, from the model's logits [V], which are changed in place (bias, bans,
  // what the grammar forbids). A bias of -100 or less bans its token, one of 100 and more leaves no rival without such
  // a bias. Where the token is forced the logits say its logprob and nothing else, and may be left out.
  // Fails with numeric_error (see Sampler) and, where the grammar and the bans leave no token or the grammar may go on
  // in more ways than are followed, grammar_dead_end.
  // Writes nothing yet; for one thread at a time.
  Result<Drawn> draw(std::span<float> logits_V);

  // The tokens that come next whatever the model says, because the grammar goes on with one text only, up to where one
  // of them is banned. Follows from what is written alone; valid until the next write().
  [[nodiscard]] std::span<const std::int32_t> forced();
  // How many of these tokens, which might come next, the grammar would take.
  [[nodiscard]] std::size_t fitting(std::span<const std::int32_t> tokens);
  // Whether every logit must be there even for forced tokens.
  [[nodiscard]] bool wants_logprobs() const { return options_.top_logprobs >= 0; }

  // Writes it. Afterwards finished() may be true; then the event's token may not belong to the answer (a stop token),
  // which `written` tells.
  struct Written {
    TokenEvent event;
    bool belongs = true;  // to the answer: false for a stop token
  };
  Written write(Drawn drawn);

  // Ends the answer from outside: the context is full, or somebody gave up.
  void end(FinishReason reason);
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] const Answer& answer() const { return answer_; }
  // After finished(): the answer, with what was held back in `tail`. Once.
  Answer take();

 private:
  void shape_logits(std::span<float> logits_V);
  [[nodiscard]] bool bans(std::int32_t token) const;
  Result<std::int32_t> sample_fitting(std::span<float> logits_V);
  std::unexpected<Error> dead_end(bool refused);

  GenerateOptions options_;
  std::vector<std::int32_t> prompt_;
  Sampler sampler_;
  StopStrings stops_;
  text::StreamDecoder decoder_;
  const text::Tokenizer* tokenizer_;
  std::optional<grammar::Constraint> constraint_;
  std::optional<std::vector<std::int32_t>> forced_;  // nothing until asked for
  Answer answer_;
  bool finished_ = false;
};

// ln of what softmax makes of a logit, for one token and for the `top` likeliest (-1: nothing).   logits_V [V]
Drawn logprobs_of(std::span<const float> logits_V, std::int32_t token, std::int64_t top);

}  // namespace herd::engine
