#include "engine/generate.h"

#include <chrono>

namespace herd::engine {
namespace {

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

Result<Answer> generate(Session& session, const text::Tokenizer& tokenizer, const Prompt& prompt,
                        const GenerateOptions& options, const TakeText& take_text,
                        const Session::Progress& progress, std::stop_token cancel) {
  Writer writer(options, tokenizer, prompt.tokens);
  const auto prefill_start = std::chrono::steady_clock::now();
  HERD_TRY(std::span<float> logits, session.prefill(prompt, progress, cancel));
  const double prefill_ms = ms_since(prefill_start);

  const auto decode_start = std::chrono::steady_clock::now();
  std::vector<std::int32_t> fresh;
  while (!writer.finished()) {
    if (cancel.stop_requested() || logits.empty()) {
      writer.end(FinishReason::cancelled);
      break;
    }
    // The token that is drawn and, without a pass for each, those that the grammar forces behind it.
    fresh.clear();
    do {
      HERD_TRY(Drawn drawn, writer.draw(logits));
      fresh.push_back(drawn.token);
      const Writer::Written written = writer.write(std::move(drawn));
      if (!written.event.text.empty() && take_text) take_text(written.event.text);
      if (!writer.finished() && session.length() + std::ssize(fresh) > session.context())
        writer.end(FinishReason::length);
    } while (!writer.finished() && !writer.wants_logprobs() && !writer.forced().empty());
    if (writer.finished()) break;
    HERD_TRY(logits, session.step(fresh));
  }
  Answer answer = writer.take();
  if (!answer.tail.empty() && take_text) take_text(answer.tail);
  answer.reused_tokens = session.reused();
  answer.prefill_ms = prefill_ms;
  answer.decode_ms = ms_since(decode_start);
  return answer;
}

}  // namespace herd::engine
