// What the stepper keeps of a request: the answer so far, and what happens to it in one step. For stepper*.cc alone.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/stepper.h"

namespace herd::engine {

// A request and its answer so far.
struct Stepper::Job {
  Job(Request asked, const text::Tokenizer& tokenizer, const nn::KvPool& kv, std::int64_t context,
      std::int64_t draft_tokens)
      : request(std::move(asked)),
        writer(request.options, tokenizer, request.prompt.tokens),
        cache(kv, context),
        drafts_max(draft_tokens) {}

  std::uint64_t id = 0;
  Request request;
  std::shared_ptr<Listener> listener;  // shared with whoever submitted it
  Writer writer;
  nn::PagedKvCache cache;
  std::int64_t drafts_max;               // guesses at a time
  std::optional<Speculator> speculator;  // from the first guess on: it reads the whole prompt
  std::vector<std::uint64_t> picture_hashes;
  std::vector<std::shared_ptr<Seen>> seen;  // shared with the picture cache; null until needed
  std::vector<std::int32_t> guesses;        // of the next step
  bool guesses_forced = false;              // by the grammar: they are right
  std::vector<TokenEvent> prompt_events;    // prompt_logprobs
  bool prompt_told = false;
  // pooling: the sum of the rows so far, or the last of them; positions below pooled_rows are in it, so that a
  // preemption does not count them twice.
  std::vector<double> pooled;
  std::int64_t pooled_rows = 0;
  Clock::time_point arrived;
  std::optional<Clock::time_point> admitted, first_token, last_token;
  std::int64_t drafted = 0, accepted = 0, predicted_right = 0, predicted_wrong = 0;
};

// What happens to one job in one step; filled by one thread, told by the engine's.
struct Stepper::Step {
  Piece piece;
  Job* job = nullptr;
  std::int64_t first_row = 0;                 // of the batch
  std::int64_t first_wanted = 0, wanted = 0;  // rows of the logits
  // The first of the piece's rows that its prompt's vector is made of; all of them from there on.
  [[nodiscard]] std::int64_t first_pooled() const {
    const Pooling pooling = job->request.pooling;
    if (pooling == Pooling::mean) return 0;
    return pooling == Pooling::last && piece.draws ? piece.rows - 1 : piece.rows;
  }
  std::vector<TokenEvent> events{};
  std::vector<std::uint64_t> drawn{};
  std::int64_t checked = 0, right = 0;  // guesses
  // Logits of the last row alone: the rows before it hold forced tokens whose logprobs nobody wants.
  [[nodiscard]] bool sparse() const { return job->guesses_forced && !job->writer.wants_logprobs(); }
  std::optional<Error> error{};
};

}  // namespace herd::engine
