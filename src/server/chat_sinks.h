// The answers of /v1/chat/completions, whole or as a stream of events.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/answers.h"
#include "server/service.h"

namespace herd::server {

// What of a request decides the form of its answer.
struct ChatShape {
  AskedModel model;
  std::size_t choices = 1;
  bool stream = false;
  bool include_usage = false;
  bool logprobs = false;
  std::int64_t top_logprobs = -1;
  std::vector<std::string> tools;    // that may be called
  bool one_call = false;             // at most one
  bool legacy_functions = false;     // calls are named function_call
  std::vector<std::string> ignored;  // members of the request that changed nothing
};

// The exchange is shared with its connection.
std::unique_ptr<AnswerSink> make_chat_sink(const Service& service,
                                           std::shared_ptr<Exchange> exchange, ChatShape shape);

// What every endpoint says of the cost, OpenAI's way: prompt once, answers together.
struct Usage {
  std::int64_t prompt = 0, cached = 0, answers = 0, accepted = 0, rejected = 0;
  void add(const engine::Answer& answer);
  [[nodiscard]] json::object openai() const;
};

// "stop" or "length".
std::string_view finish_word(engine::FinishReason reason);

// How much of the prompt was there already, and why not more: for a header or a comment.
std::string reuse_text(const engine::Answer& answer);

// Headers of an answer that say what was not done: x-herd-ignored, where there is something.
void add_ignored(HttpResponse& response, const std::vector<std::string>& ignored);

}  // namespace herd::server
