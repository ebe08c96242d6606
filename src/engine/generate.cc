#include "engine/generate.h"

#include <algorithm>
#include <chrono>

#include "text/stream_decoder.h"

namespace herd::engine {
namespace {

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double per_second(std::int64_t tokens, double ms) {
  return ms > 0 ? static_cast<double>(tokens) * 1000.0 / ms : 0.0;
}

}  // namespace

Result<Answer> generate(Session& session, const text::Tokenizer& tokenizer, const Prompt& prompt,
                        const GenerateOptions& options, const TakeText& take_text,
                        const Session::Progress& progress, std::stop_token cancel) {
  Answer answer;
  answer.prompt_tokens = static_cast<std::int64_t>(prompt.tokens.size());
  Sampler sampler(options.sampling);
  StopStrings stops(options.stop);
  text::StreamDecoder decoder(tokenizer);
  auto say = [&](std::string text) {
    if (!text.empty() && take_text) take_text(text);
    answer.text += text;
  };

  const auto prefill_start = std::chrono::steady_clock::now();
  HERD_TRY(std::span<const float> logits, session.prefill(prompt, progress, cancel));
  answer.reused_tokens = session.reused();
  answer.prefill_ms = ms_since(prefill_start);

  const auto decode_start = std::chrono::steady_clock::now();
  for (;;) {
    if (cancel.stop_requested() || logits.empty()) {
      answer.finish_reason = FinishReason::cancelled;
      break;
    }
    if (static_cast<std::int64_t>(answer.tokens.size()) >= options.max_tokens) {
      answer.finish_reason = FinishReason::length;
      break;
    }
    HERD_TRY(const std::int32_t token, sampler.sample(logits, prompt.tokens, answer.tokens));
    if (std::ranges::find(options.stop_tokens, token) != options.stop_tokens.end()) break;
    answer.tokens.push_back(token);
    say(stops.push(decoder.push(token)));
    if (stops.found()) break;
    if (session.length() >= session.context()) {
      answer.finish_reason = FinishReason::length;
      break;
    }
    HERD_TRY(logits, session.step(token));
  }
  if (!stops.found()) {
    say(stops.push(decoder.finish()));
    if (!stops.found()) say(stops.finish());
  }
  answer.decode_ms = ms_since(decode_start);
  return answer;
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
  for (const std::string& stop : strings_) end = std::min(end, held_.find(stop));
  if (end != std::string::npos) {
    found_ = true;
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
