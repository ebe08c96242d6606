#include "engine/stepper.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "engine/stepper_job.h"

namespace herd::engine {
namespace {

using Clock = Request::Clock;

// Logits of a prompt's rows that are held at once, where all are asked for.
constexpr std::int64_t prompt_logits_max = 4 << 20;

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace

Stepper::~Stepper() = default;

Result<std::vector<std::uint64_t>> Stepper::check(const Request& request,
                                                  KnownHashes& known) const {
  HERD_TRY_VOID(check_prompt(request.prompt, model_->config(), options_.context));
  if (request.pooling != Pooling::none &&
      (request.options.max_tokens != 0 || request.prompt_logprobs))
    return fail(
        Code::out_of_range,
        "pooling: a prompt's vector comes alone, wanted max_tokens 0 and no prompt_logprobs");
  const std::int64_t vocabulary = model_->config().text.vocabulary;
  for (const auto& [token, bias] : request.options.logit_bias)
    if (token < 0 || token >= vocabulary)
      return fail(Code::out_of_range, "logit_bias: token {} is not in the vocabulary of {}", token,
                  vocabulary);
  for (const std::int32_t token : request.prediction)
    if (token < 0 || token >= vocabulary)
      return fail(Code::out_of_range, "prediction: token {} is not in the vocabulary of {}", token,
                  vocabulary);
  std::vector<std::uint64_t> hashes;
  for (const Picture& picture : request.prompt.pictures) {
    const auto [at, fresh] = known.try_emplace(picture.pixels.identity(), 0);
    if (fresh) at->second = hash_of(hash_key_, picture);
    hashes.push_back(at->second);
  }
  return hashes;
}

// The listener is shared with whoever submitted the request.
void Stepper::add(std::uint64_t id, Request request, std::vector<std::uint64_t> picture_hashes,
                  std::shared_ptr<Listener> listener, Clock::time_point arrived) {
  // Guesses about what is asked row by row would need logits of rows that may be wrong; simply none.
  const std::int64_t drafts = request.prompt_logprobs ? 0 : options_.draft_tokens;
  auto job = std::make_unique<Job>(std::move(request), *tokenizer_, kv_, options_.context, drafts);
  job->id = id;
  job->listener = std::move(listener);
  job->arrived = arrived;
  const Prompt& prompt = job->request.prompt;
  job->picture_hashes = std::move(picture_hashes);
  job->seen.resize(prompt.pictures.size());
  const auto& vision = model_->config().vision;

  Arrival arrival{
      .id = id,
      .tenant = job->request.tenant,
      .priority = job->request.priority,
      .keys = keys_of(prompt, job->picture_hashes, vision ? vision->tokens_per_tile() : 0),
      .deadline_ms = {},
      .reuses = !job->request.prompt_logprobs && job->request.pooling != Pooling::mean,
      .rows_max = 0};
  if (job->request.adapters)
    arrival.keys.front() =
        key_with_adapters(hash_key_, arrival.keys.front(), job->request.adapters->identity);
  if (job->request.deadline) arrival.deadline_ms = now_ms(*job->request.deadline);
  if (!prompt.patches.empty()) arrival.ready = prompt.patches.front();
  if (job->request.prompt_logprobs) {
    arrival.rows_max =
        std::max<std::int64_t>(1, prompt_logits_max / model_->config().text.vocabulary);
    job->prompt_events.resize(prompt.tokens.size());
    for (std::size_t i = 0; i < prompt.tokens.size(); ++i)
      job->prompt_events[i].token = prompt.tokens[i];
  }
  ++counts_.submitted;
  const bool nothing_to_do = job->writer.finished() && !job->request.prompt_logprobs &&
                             job->request.pooling == Pooling::none;
  jobs_.emplace(id, std::move(job));
  if (nothing_to_do) return finish(id, closed(*jobs_.at(id)));
  if (disk_ && arrival.reuses && disk_->restore(id, arrival.tenant, arrival.keys))
    restoring_.emplace(id, std::move(arrival));
  else
    submit(std::move(arrival), arrived);
}

void Stepper::submit(Arrival arrival, Clock::time_point arrived) {
  const bool taken = scheduler_.submit(std::move(arrival), now_ms(arrived));
  HERD_CHECK(taken, "{} wait and {} run, and one more came", scheduler_.waiting(),
             scheduler_.running());
}

// Between memory and disk, a little in each step.
void Stepper::move_prefixes() {
  if (!disk_) return;
  const std::uint64_t before = disk_->store().state().pages_read;
  for (const std::uint64_t id : disk_->step(jobs_.empty())) {
    auto arrival = restoring_.extract(id);
    submit(std::move(arrival.mapped()), jobs_.at(id)->arrived);
  }
  counts_.restored_tokens += (disk_->store().state().pages_read - before) * keys_per_block;
}

std::int64_t Stepper::now_ms(Clock::time_point at) const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(at - start_).count();
}

void Stepper::cancel(std::uint64_t id, std::optional<Error> error) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  Job& job = *found->second;
  job.writer.end(FinishReason::cancelled);
  Answer answer = closed(job);
  scheduler_.cancel(id);
  if (restoring_.erase(id) > 0) disk_->cancel(id);
  if (error)
    finish(id, std::unexpected(std::move(*error)));
  else
    finish(id, std::move(answer));
}

void Stepper::step(Clock::time_point now) {
  now_ = now;
  move_prefixes();
  if (jobs_.empty()) return;
  ++counts_.steps;
  look_at_pictures();
  propose();
  const Plan& plan = scheduler_.plan(now_ms(now));
  for (const std::uint64_t id : plan.expired) {
    const Job& job = *jobs_.at(id);
    finish(id,
           fail(Code::deadline_exceeded, "the request {} when its deadline came, after {:.1f} s",
                job.admitted ? "was being answered" : "still waited",
                ms_between(job.arrived, now) / 1000));
  }
  counts_.preemptions += plan.preempted.size();
  for (const std::uint64_t id : plan.admitted) {
    Job& job = *jobs_.at(id);
    if (!job.admitted) job.admitted = now;
  }
  if (!plan.pieces.empty()) run(plan);
}

void Stepper::propose() {
  const auto running = scheduler_.running_sequences();
  const bool wanted = options_.draft_tokens > 0 && meter_.wants(std::ssize(running));
  for (const Scheduler::Sequence* sequence : running) {
    Job& job = *jobs_.at(sequence->arrival.id);
    job.guesses.clear();
    job.guesses_forced = false;
    if (sequence->left() != 1 || !job.first_token) continue;
    // What a grammar forces goes through with the token in front of it, and is right without being checked.
    std::span<const std::int32_t> guesses = job.writer.forced();
    job.guesses_forced = !guesses.empty();
    if (!job.guesses_forced) {
      if (!wanted || job.drafts_max == 0) continue;
      if (!job.speculator) {
        job.speculator.emplace(job.request.prompt.tokens, job.request.prediction, job.drafts_max);
        for (const std::int32_t token : job.writer.answer().tokens) job.speculator->push(token);
      }
      guesses = job.speculator->guess();
      guesses = guesses.first(job.writer.fitting(guesses));
    }
    // After the last token that is wanted none needs to be right.
    const std::int64_t wanted_tokens =
        job.request.options.max_tokens - std::ssize(job.writer.answer().tokens);
    const auto count = std::clamp<std::int64_t>(wanted_tokens - 1, 0, std::ssize(guesses));
    job.guesses.assign(guesses.begin(), guesses.begin() + count);
    scheduler_.propose(job.id, std::ssize(job.guesses));
  }
}

void Stepper::run(const Plan& plan) {
  std::vector<Step> steps;
  bool decodes_only = true, has_guesses = false;
  for (const Piece& piece : plan.pieces) {
    steps.push_back({.piece = piece, .job = jobs_.at(piece.id).get()});
    decodes_only = decodes_only && piece.draws && piece.rows == 1 + piece.drafts;
    const bool forced = piece.drafts > 0 && steps.back().job->guesses_forced;
    decodes_only = decodes_only && !forced;  // tokens that cost nothing would speak for guesses
    has_guesses = has_guesses || piece.drafts > 0;
  }
  const auto begin = Clock::now();
  const Tensor logits = forward(steps);
  ctx_.lane.pool->run(std::ssize(steps), 1,
                      [&](std::int64_t first, std::int64_t last, int /*thread*/) {
                        for (std::int64_t i = first; i < last; ++i)
                          write(steps[static_cast<std::size_t>(i)], logits);
                      });
  if (decodes_only) {
    std::int64_t tokens = 0;
    for (const Step& step : steps) tokens += std::ssize(step.drawn);
    meter_.took(scheduler_.running(), has_guesses, ms_between(begin, Clock::now()), tokens);
  }
  for (Step& step : steps) deliver(step);
}

Tensor Stepper::forward(std::span<Step> steps) {
  ctx_.arena.reset();
  nn::CachedBatch batch;
  std::int64_t rows = 0, wanted = 0;
  std::vector<std::int32_t> tokens;
  for (Step& step : steps) {
    const Piece& piece = step.piece;
    Job& job = *step.job;
    const Scheduler::Sequence& sequence = *scheduler_.find(piece.id);
    job.cache.set_pages(sequence.holding->global(), sequence.holding->local(), piece.begin);
    const auto& prompt = job.request.prompt.tokens;
    const auto& answer = job.writer.answer().tokens;
    tokens.clear();
    for (std::int64_t at = piece.begin; at < piece.begin + piece.rows - piece.drafts; ++at)
      tokens.push_back(at < std::ssize(prompt)
                           ? prompt[static_cast<std::size_t>(at)]
                           : answer[static_cast<std::size_t>(at - std::ssize(prompt))]);
    tokens.insert(tokens.end(), job.guesses.begin(), job.guesses.begin() + piece.drafts);
    const auto& adapters = job.request.adapters;
    batch.add(job.cache, tokens, adapters ? &adapters->places : nullptr);
    step.first_row = rows;
    step.first_wanted = wanted;
    if (job.request.pooling != Pooling::none) {  // wanted below, behind the rows that need logits
    } else if (job.request.prompt_logprobs && !job.prompt_told)
      step.wanted = piece.rows;
    else if (piece.draws)
      step.wanted = step.sparse() ? 1 : 1 + piece.drafts;
    for (std::int64_t row = piece.rows - step.wanted; row < piece.rows; ++row)
      batch.want(static_cast<std::int32_t>(rows + row));
    rows += piece.rows;
    wanted += step.wanted;
  }
  for (const Step& step : steps)
    for (std::int64_t row = step.first_pooled(); row < step.piece.rows; ++row)
      batch.want(static_cast<std::int32_t>(step.first_row + row));
  add_features(batch, steps);
  const Tensor hidden_nD = model_->hidden(ctx_, batch);
  pool(steps, hidden_nD, wanted);
  return wanted == 0 ? Tensor{} : model_->logits(ctx_, hidden_nD.first_rows(wanted));
}

// Takes the vectors of prompts that are wanted as one: their rows of hidden_nD begin at `row`.
void Stepper::pool(std::span<const Step> steps, const Tensor& hidden_nD, std::int64_t row) const {
  const std::int64_t width = model_->config().text.width;
  for (const Step& step : steps) {
    Job& job = *step.job;
    for (std::int64_t i = step.first_pooled(); i < step.piece.rows; ++i, ++row) {
      if (step.piece.begin + i < job.pooled_rows) continue;
      job.pooled_rows = step.piece.begin + i + 1;
      job.pooled.resize(static_cast<std::size_t>(width), 0.0);
      const float* vector = hidden_nD.as<float>().data() + row * width;
      for (std::size_t d = 0; d < job.pooled.size(); ++d)
        job.pooled[d] += static_cast<double>(vector[d]);
    }
  }
}

// Draws what the piece draws. Touches its own job alone, so jobs are written side by side.
void Stepper::write(Step& step, const Tensor& logits) const {
  Job& job = *step.job;
  const Piece& piece = step.piece;
  const std::int64_t vocabulary = model_->config().text.vocabulary;
  auto row_of = [&](std::int64_t row) {
    return logits.as<float>().subspan(
        static_cast<std::size_t>((step.first_wanted + row) * vocabulary),
        static_cast<std::size_t>(vocabulary));
  };
  if (job.request.prompt_logprobs && !job.prompt_told)
    for (std::int64_t row = 0; row < piece.rows; ++row) {
      const auto next = static_cast<std::size_t>(piece.begin + row + 1);
      if (next >= job.prompt_events.size()) continue;
      TokenEvent& event = job.prompt_events[next];
      Drawn known = logprobs_of(row_of(row), event.token,
                                std::max<std::int64_t>(0, job.request.options.top_logprobs));
      event.logprob = known.logprob;
      event.top = std::move(known.top);
    }
  if (!piece.draws || job.writer.finished()) return;
  for (std::int64_t i = 0; i <= piece.drafts; ++i) {
    std::span<float> row;
    if (!step.sparse() || i == piece.drafts) row = row_of(step.wanted - 1 - piece.drafts + i);
    Result<Drawn> drawn = job.writer.draw(row);
    if (!drawn) {
      step.error = std::move(drawn).error();
      return;
    }
    const std::int32_t token = drawn->token;
    Writer::Written written = job.writer.write(std::move(*drawn));
    step.drawn.push_back(key_of(token));
    if (written.belongs) {
      step.events.push_back(std::move(written.event));
      if (job.speculator) job.speculator->push(token);
    }
    if (job.writer.finished()) return;
    if (piece.begin + piece.rows - piece.drafts + i >= options_.context)
      return job.writer.end(FinishReason::length);
    if (i == piece.drafts) return;
    if (!job.guesses_forced) ++step.checked;
    if (job.guesses[static_cast<std::size_t>(i)] != token) return;
    if (!job.guesses_forced) ++step.right;
  }
}

void Stepper::deliver(Step& step) {
  Job& job = *step.job;
  const Piece& piece = step.piece;
  if (step.error) {
    scheduler_.cancel(job.id);
    return finish(job.id, std::unexpected(std::move(*step.error)));
  }
  const auto prompt = std::ssize(job.request.prompt.tokens);
  if (piece.begin < prompt)
    job.listener->progress(std::min(piece.begin + piece.rows, prompt), prompt);
  if (piece.draws && job.request.prompt_logprobs && !std::exchange(job.prompt_told, true))
    job.listener->prompt_logprobs(job.prompt_events);
  if (piece.draws && job.request.pooling != Pooling::none) {
    const double count = job.request.pooling == Pooling::mean ? static_cast<double>(prompt) : 1.0;
    std::vector<float> vector;
    for (const double sum : job.pooled) vector.push_back(static_cast<float>(sum / count));
    if (!std::ranges::all_of(vector, [](float x) { return std::isfinite(x); })) {
      scheduler_.cancel(job.id);
      return finish(job.id, fail(Code::numeric_error, "the prompt's vector is not finite"));
    }
    job.listener->embedding(vector);
  }

  const auto now = Clock::now();
  if (piece.draws) {
    if (!job.first_token) job.first_token = now;
    job.last_token = now;
  }
  if (step.checked > 0) {
    job.speculator->learn(step.checked, step.right);
    job.drafted += piece.drafts;
    job.accepted += step.right;
    if (job.speculator->from_prediction()) {
      job.predicted_right += step.right;
      job.predicted_wrong += piece.drafts - step.right;
    }
    counts_.drafted_tokens += static_cast<std::uint64_t>(piece.drafts);
    counts_.accepted_tokens += static_cast<std::uint64_t>(step.right);
  }
  for (const TokenEvent& event : step.events) job.listener->token(event);

  // Only the prompt was wanted (its logprobs, its vector): nothing was drawn, and nothing follows.
  const bool ended = job.writer.finished();
  if (!(piece.draws && step.drawn.empty())) scheduler_.done(job.id, step.drawn);
  if (!ended || !piece.draws) return;
  Answer answer = closed(job);
  if (disk_) {
    const Scheduler::Sequence& sequence = *scheduler_.find(job.id);
    if (sequence.arrival.reuses)
      disk_->save(sequence.arrival.tenant, sequence.keys, sequence.holding->nodes());
  }
  scheduler_.finish(job.id);
  finish(job.id, std::move(answer));
}

// The answer with its figures, from a writer that has ended.
Answer Stepper::closed(Job& job) {
  Answer answer = job.writer.take();
  const Scheduler::Sequence* sequence = scheduler_.find(job.id);
  if (sequence != nullptr && job.admitted) {
    answer.reused_tokens = sequence->reused;
    answer.reuse_note = sentence_of(sequence->reuse_end);
    answer.preemptions = sequence->preemptions;
  }
  const auto end = Clock::now();
  answer.queue_ms = ms_between(job.arrived, job.admitted.value_or(end));
  if (job.admitted) answer.prefill_ms = ms_between(*job.admitted, job.first_token.value_or(end));
  if (job.first_token)
    answer.decode_ms = ms_between(*job.first_token, job.last_token.value_or(end));
  answer.drafted_tokens = job.drafted;
  answer.accepted_tokens = job.accepted;
  answer.accepted_prediction_tokens = job.predicted_right;
  answer.rejected_prediction_tokens = job.predicted_wrong;
  return answer;
}

void Stepper::finish(std::uint64_t id, Result<Answer> answer) {
  const auto found = jobs_.find(id);
  const std::unique_ptr<Job> job = std::move(found->second);
  jobs_.erase(found);
  if (!answer) {
    ++counts_.failed;
  } else {
    ++(answer->finish_reason == FinishReason::cancelled ? counts_.cancelled : counts_.finished);
    counts_.prompt_tokens += static_cast<std::uint64_t>(answer->prompt_tokens);
    counts_.reused_tokens += static_cast<std::uint64_t>(answer->reused_tokens);
    counts_.answer_tokens += answer->tokens.size();
  }
  if (job->admitted) {
    constexpr double newest = 0.1;
    const double took = ms_between(*job->admitted, Clock::now());
    service_ms_ = service_ms_ == 0 ? took : (1 - newest) * service_ms_ + newest * took;
  }
  job->request.adapters.reset();  // whoever hears the end may find their room free
  job->listener->finished(std::move(answer));
}

std::vector<std::uint64_t> Stepper::ids() const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, job] : jobs_) ids.push_back(id);
  std::ranges::sort(ids);
  return ids;
}

EngineState Stepper::state() const {
  EngineState state = counts_;
  state.running = scheduler_.running();
  state.waiting = scheduler_.waiting() + std::ssize(restoring_);
  if (disk_) state.disk = disk_->store().state();
  state.running_max = options_.sequences;
  state.waiting_max = options_.queue;
  state.context = options_.context;
  state.pages = scheduler_.global().count();
  state.pages_free = scheduler_.global().num_free();
  state.pages_cached = scheduler_.cache().unused_global();
  state.local_pages = scheduler_.local().count();
  state.local_pages_free = scheduler_.local().num_free();
  state.local_pages_cached = scheduler_.cache().unused_local();
  // One of those who run ends after this long on average.
  const auto running = static_cast<double>(std::max<std::int64_t>(1, scheduler_.running()));
  state.retry_after_s = std::clamp(service_ms_ / 1000 / running, 1.0, 60.0);
  return state;
}

}  // namespace herd::engine
