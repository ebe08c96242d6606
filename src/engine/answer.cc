#include "engine/answer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"

namespace herd::engine {
namespace {

// OpenAI's scale of logit_bias: its ends mean never and always.
constexpr float bias_forbids = -100.0f, bias_forces = 100.0f;
// More than any two logits lie apart, and still a finite number to add to them.
constexpr float forced_lead = 1e6f;

// Tokens that may end an answer.
std::vector<std::int32_t> ends_of(const GenerateOptions& options) {
  return options.ignore_eos ? std::vector<std::int32_t>() : options.stop_tokens;
}

// Leaves numbers only to the tokens of the mask.
void forbid(std::span<const std::uint64_t> mask, std::span<float> logits_V) {
  constexpr float never = -std::numeric_limits<float>::infinity();
  for (std::size_t word = 0; word * 64 < logits_V.size(); ++word) {
    const std::uint64_t bits = word < mask.size() ? mask[word] : 0;
    if (bits == ~0ull) continue;
    const std::size_t end = std::min(logits_V.size(), word * 64 + 64);
    for (std::size_t token = word * 64; token < end; ++token)
      if ((bits >> (token % 64) & 1) == 0) logits_V[token] = never;
  }
}

double per_second(std::int64_t tokens, double ms) {
  return ms > 0 ? static_cast<double>(tokens) * 1000.0 / ms : 0.0;
}

}  // namespace

Writer::Writer(const GenerateOptions& options, const text::Tokenizer& tokenizer,
               std::span<const std::int32_t> prompt)
    : options_(options),
      prompt_(prompt.begin(), prompt.end()),
      sampler_(options.sampling),
      stops_(options.stop),
      decoder_(tokenizer),
      tokenizer_(&tokenizer) {
  if (options_.grammar) constraint_ = options_.grammar->begin(ends_of(options_));
  answer_.prompt_tokens = static_cast<std::int64_t>(prompt.size());
  if (options_.max_tokens <= 0) end(FinishReason::length);
}

Result<Drawn> Writer::draw(std::span<float> logits_V) {
  Drawn drawn;
  // Before the logits are changed; without the token, which is not known yet.
  if (const auto next = forced(); !next.empty()) {
    drawn.token = next.front();
    if (wants_logprobs()) drawn = logprobs_of(logits_V, drawn.token, options_.top_logprobs);
    return drawn;
  }
  std::vector<float> own;
  if (wants_logprobs()) own.assign(logits_V.begin(), logits_V.end());
  shape_logits(logits_V);
  HERD_TRY(drawn.token, constraint_ ? sample_fitting(logits_V)
                                    : sampler_.sample(logits_V, prompt_, answer_.tokens));
  if (wants_logprobs()) drawn = logprobs_of(own, drawn.token, options_.top_logprobs);
  return drawn;
}

// Draws what the grammar takes. The mask looks at each way of reading alone: where there are very many, a token that it
// allows may lead to more than are followed. Such a token is out, and the draw is made again.
Result<std::int32_t> Writer::sample_fitting(std::span<float> logits_V) {
  constexpr float never = -std::numeric_limits<float>::infinity();
  constexpr int draws_max = 16;  // each may have cost a list of readings for every byte
  for (int draws = 0; draws < draws_max; ++draws) {
    if (std::ranges::all_of(logits_V, [](float logit) { return logit == never; }))
      return dead_end(draws > 0);
    HERD_TRY(const std::int32_t token, sampler_.sample(logits_V, prompt_, answer_.tokens));
    if (fitting({&token, 1}) == 1) return token;
    logits_V[static_cast<std::size_t>(token)] = never;
  }
  return dead_end(true);
}

std::unexpected<Error> Writer::dead_end(bool refused) {
  const auto mask = constraint_->mask();
  const bool banned = std::ranges::any_of(mask, [](std::uint64_t word) { return word != 0; });
  std::string_view why = "no token is left that its grammar allows";
  if (refused || constraint_->is_too_complex())
    why = "its grammar may go on in more ways than are followed";
  else if (banned)
    why = "the request bans every token that its grammar allows (logit_bias, min_tokens)";
  return fail(Code::grammar_dead_end, "after {} tokens of the answer {}", answer_.tokens.size(),
              why);
}

bool Writer::bans(std::int32_t token) const {
  const auto bias = options_.logit_bias.find(token);
  return bias != options_.logit_bias.end() && bias->second <= bias_forbids;
}

void Writer::shape_logits(std::span<float> logits_V) {
  // First of all: what cannot come has no number that could be wrong.
  if (constraint_) forbid(constraint_->mask(), logits_V);
  for (const auto& [token, bias] : options_.logit_bias) {
    HERD_CHECK(token >= 0 && static_cast<std::size_t>(token) < logits_V.size(), "token {}", token);
    float& logit = logits_V[static_cast<std::size_t>(token)];
    if (std::isnan(logit)) continue;  // the sampler reports it
    if (bans(token))
      logit = -std::numeric_limits<float>::infinity();
    else
      logit += bias >= bias_forces ? forced_lead : bias;
  }
  // A grammar's end cannot be put off where nothing else may follow; write() ends the answer there.
  if (options_.ignore_eos ||
      static_cast<std::int64_t>(answer_.tokens.size()) >= options_.min_tokens)
    return;
  for (const std::int32_t token : options_.stop_tokens)
    if (token >= 0 && static_cast<std::size_t>(token) < logits_V.size() &&
        !std::isnan(logits_V[static_cast<std::size_t>(token)]))
      logits_V[static_cast<std::size_t>(token)] = -std::numeric_limits<float>::infinity();
}

Writer::Written Writer::write(Drawn drawn) {
  HERD_CHECK(!finished_, "the answer has ended");
  Written written{
      .event = {
          .token = drawn.token, .text = {}, .logprob = drawn.logprob, .top = std::move(drawn.top)}};
  if (!options_.ignore_eos &&
      std::ranges::find(options_.stop_tokens, drawn.token) != options_.stop_tokens.end()) {
    answer_.stop_token = drawn.token;
    answer_.stop_event = written.event;
    written.belongs = false;
    end(FinishReason::stop);
    return written;
  }
  if (constraint_) {
    const bool taken = constraint_->accept(drawn.token);
    HERD_CHECK(taken, "token {} was drawn and the grammar does not take it", drawn.token);
    if (forced_ && !forced_->empty()) {
      forced_->erase(forced_->begin());
      ++answer_.forced_tokens;
    }
    if (forced_ && forced_->empty()) forced_.reset();
  }
  answer_.tokens.push_back(drawn.token);
  const auto tokens = static_cast<std::int64_t>(answer_.tokens.size());
  std::string text = decoder_.push(drawn.token);
  if (tokens >= options_.min_tokens) text = stops_.push(text);
  answer_.text += text;
  written.event.text = std::move(text);
  if (stops_.found()) {
    answer_.stop_string = stops_.which();
    end(FinishReason::stop);
  } else if (constraint_ && constraint_->is_done()) {
    end(FinishReason::stop);
  } else if (tokens >= options_.max_tokens) {
    end(FinishReason::length);
  }
  return written;
}

std::span<const std::int32_t> Writer::forced() {
  if (!constraint_) return {};
  if (!forced_) {
    forced_ = options_.grammar->forced(*constraint_, *tokenizer_, options_.stop_tokens);
    // In front of a banned token it is the model's turn: other tokens may spell the text.
    forced_->erase(std::ranges::find_if(*forced_, [&](std::int32_t token) { return bans(token); }),
                   forced_->end());
  }
  return *forced_;
}

std::size_t Writer::fitting(std::span<const std::int32_t> tokens) {
  if (!constraint_) return tokens.size();
  std::size_t count = 0;
  while (count < tokens.size() && constraint_->accept(tokens[count])) ++count;
  constraint_->rollback(count);
  return count;
}

void Writer::end(FinishReason reason) {
  if (finished_) return;
  finished_ = true;
  answer_.finish_reason = reason;
  if (stops_.found()) return;
  answer_.tail = stops_.push(decoder_.finish());
  if (!stops_.found()) answer_.tail += stops_.finish();
  answer_.text += answer_.tail;
}

Answer Writer::take() {
  HERD_CHECK(finished_, "the answer has not ended");
  return std::move(answer_);
}

Drawn logprobs_of(std::span<const float> logits_V, std::int32_t token, std::int64_t top) {
  Drawn drawn{.token = token, .logprob = 0, .top = {}};
  if (top < 0) return drawn;
  const float most = *std::ranges::max_element(logits_V);
  double sum = 0;
  for (const float logit : logits_V) sum += std::exp(static_cast<double>(logit - most));
  const double log_sum = std::log(sum);
  auto logprob = [&](std::int32_t id) {
    return static_cast<double>(logits_V[static_cast<std::size_t>(id)] - most) - log_sum;
  };
  drawn.logprob = logprob(token);
  if (top == 0) return drawn;
  std::vector<std::int32_t> ids(logits_V.size());
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
  const auto kept = std::min(top, static_cast<std::int64_t>(ids.size()));
  std::ranges::partial_sort(ids, ids.begin() + kept, [&](std::int32_t a, std::int32_t b) {
    const float x = logits_V[static_cast<std::size_t>(a)];
    const float y = logits_V[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  for (const std::int32_t id : std::span(ids).first(static_cast<std::size_t>(kept)))
    drawn.top.push_back({id, logprob(id)});
  return drawn;
}

double Answer::prefill_tps() const { return per_second(prompt_tokens - reused_tokens, prefill_ms); }

// The first token comes from the prompt's own pass; the rest took the time.
double Answer::decode_tps() const {
  return per_second(static_cast<std::int64_t>(tokens.size()), decode_ms);
}

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "";
}

std::string StopStrings::push(std::string_view text) {
  held_ += text;
  std::size_t end = std::string::npos;  // where the first stop string begins
  for (std::size_t i = 0; i < strings_.size(); ++i) {
    const std::size_t at = held_.find(strings_[i]);
    if (at < end) {
      end = at;
      found_ = i;
    }
  }
  if (found_) {
    std::string out = held_.substr(0, end);
    held_.clear();
    return out;
  }
  // Hold back the longest tail that begins some stop string.
  std::size_t keep = 0;
  for (const std::string& stop : strings_)
    for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n)
      if (held_.ends_with(std::string_view(stop).substr(0, n))) keep = n;
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, out.size());
  return out;
}

std::string StopStrings::finish() { return std::exchange(held_, {}); }

}  // namespace herd::engine
