#include "server/chat_sinks.h"

#include <ctime>

#include "server/generation_options.h"
#include "server/random_id.h"
#include "server/sse.h"
#include "text/tool_call_stream.h"

namespace herd::server {
namespace {

using text::ToolCallEvent;
using Clock = std::chrono::steady_clock;

json::object call_json(const std::string& id, const ToolCallEvent& call) {
  return {{"id", id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", json::serialize(call.arguments)}}}};
}

// One of the n answers while it grows.
struct Choice {
  explicit Choice(std::vector<std::string> tools) : parser(std::move(tools)) {}

  text::ToolCallStream parser;
  std::string content;
  json::array calls;
  std::size_t calls_made = 0;
  json::array logprobs;  // not yet sent
  bool closed = false;   // after its only call: what still comes is not said
  SaidTurn said = {};    // where tools were offered
  std::string finish;
};

class ChatSink : public AnswerSink {
 public:
  // The exchange is shared with its connection.
  ChatSink(const Service& service, std::shared_ptr<Exchange> exchange, ChatShape shape)
      : service_(service),
        exchange_(std::move(exchange)),
        shape_(std::move(shape)),
        id_(random_id("chatcmpl-", 12)),
        created_(std::time(nullptr)) {
    for (std::size_t i = 0; i < shape_.choices; ++i) choices_.emplace_back(shape_.tools);
  }

  void token(std::size_t index, const engine::TokenEvent& event) override {
    Choice& choice = choices_[index];
    if (choice.closed) return;
    if (shape_.logprobs) choice.logprobs.push_back(listed(event));
    take(index, choice.parser.push(event.text));
  }

  void finished(std::size_t index, engine::Answer answer) override {
    Choice& choice = choices_[index];
    if (!choice.closed) {
      take(index, choice.parser.push(answer.tail));
      take(index, choice.parser.finish());
    }
    choice.finish = finish_word(answer.finish_reason);
    if (choice.calls_made > 0 && choice.finish != "length")
      choice.finish = shape_.legacy_functions ? "function_call" : "tool_calls";
    usage_.add(answer);
    if (!shape_.legacy_functions)  // whose calls have no ids
      service_.turns().add_whole(std::move(choice.said), exchange_->request().key, answer,
                                 choice.closed);
    if (index == 0) reuse_ = reuse_text(answer);
    end_of_choice(index);
  }

  void failed(const ApiError& error) override {
    if (!exchange_->answered())
      return exchange_->respond(error_response(error, Surface::openai, exchange_->request().id));
    exchange_->write(sse_data(error_body(error, Surface::openai, exchange_->request().id)));
    exchange_->end_stream();
  }

 protected:
  virtual void say_text(std::size_t index, std::string_view text) = 0;
  virtual void say_call(std::size_t index, json::object call) = 0;
  virtual void end_of_choice(std::size_t index) = 0;

  [[nodiscard]] json::object frame(std::string_view object) const {
    return {{"id", id_},
            {"object", object},
            {"created", created_},
            {"model", shape_.model.id},
            {"system_fingerprint", shape_.model.fingerprint},
            {"service_tier", "default"}};
  }

  // {"content": […]} of what has gathered, or null.
  json::value take_logprobs(Choice& choice) {
    if (!shape_.logprobs) return nullptr;
    return json::object{{"content", std::exchange(choice.logprobs, {})}, {"refusal", nullptr}};
  }

  const Service& service_;
  std::shared_ptr<Exchange> exchange_;  // shared with its connection
  ChatShape shape_;
  std::string id_;
  std::int64_t created_;
  std::vector<Choice> choices_;
  Usage usage_;
  std::string reuse_;

 private:
  void take(std::size_t index, const std::vector<ToolCallEvent>& events) {
    Choice& choice = choices_[index];
    for (const ToolCallEvent& event : events) {
      if (choice.closed) return;
      if (!event.is_call()) {
        if (event.text.empty()) continue;
        if (!shape_.tools.empty()) choice.said.text += event.text;
        say_text(index, event.text);
        continue;
      }
      const std::string id = random_id("call_", 12);
      choice.said.calls.push_back({.id = id, .name = event.name, .arguments = event.arguments});
      say_call(index, call_json(id, event));
      ++choice.calls_made;
      if (shape_.one_call) {
        choice.closed = true;
        stop(index);
      }
    }
  }

  json::object listed(const engine::TokenEvent& event) const {
    const text::Tokenizer& tokenizer = service_.bundle().tokenizer;
    json::object out = token_json(tokenizer, event.token, event.logprob);
    json::array top;
    for (const engine::TopToken& each : event.top)
      top.push_back(token_json(tokenizer, each.token, each.logprob));
    out["top_logprobs"] = std::move(top);
    return out;
  }
};

class WholeChat final : public ChatSink {
 public:
  using ChatSink::ChatSink;

  void all_finished() override {
    json::array choices;
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      Choice& choice = choices_[i];
      json::object message{{"role", "assistant"},
                           {"content", nullptr},
                           {"refusal", nullptr},
                           {"annotations", json::array()}};
      if (!choice.content.empty() || choice.calls.empty()) message["content"] = choice.content;
      if (!choice.calls.empty()) {
        if (shape_.legacy_functions)
          message["function_call"] = choice.calls[0].at("function");
        else
          message["tool_calls"] = std::move(choice.calls);
      }
      choices.push_back({{"index", i},
                         {"message", std::move(message)},
                         {"logprobs", take_logprobs(choice)},
                         {"finish_reason", choice.finish}});
    }
    json::object body = frame("chat.completion");
    body["choices"] = std::move(choices);
    body["usage"] = usage_.openai();
    HttpResponse response = json_response(body);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
    response.headers.push_back({"openai-processing-ms", fmt::format("{}", ms.count())});
    response.headers.push_back({"x-herd-reused", reuse_});
    add_ignored(response, shape_.ignored);
    exchange_->respond(std::move(response));
  }

 private:
  void say_text(std::size_t index, std::string_view text) override {
    choices_[index].content += text;
  }
  void say_call(std::size_t index, json::object call) override {
    choices_[index].calls.push_back(std::move(call));
  }
  void end_of_choice(std::size_t) override {}

  Clock::time_point began_ = Clock::now();
};

class StreamedChat final : public ChatSink {
 public:
  using ChatSink::ChatSink;

  void begin() override {
    HttpResponse head = sse_head();
    add_ignored(head, shape_.ignored);
    exchange_->begin_stream(std::move(head), std::string(sse_idle_text));
    // S2, S10: every choice says its role once, in the order of their indices.
    for (std::size_t i = 0; i < choices_.size(); ++i)
      send(i, {{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}}, nullptr, nullptr);
  }

  void progress(std::size_t, std::int64_t done, std::int64_t total) override {
    exchange_->write(fmt::format(": prompt {}/{}\n\n", done, total));
  }

  void all_finished() override {
    if (shape_.include_usage) {
      json::object chunk = frame("chat.completion.chunk");
      chunk["choices"] = json::array();
      chunk["usage"] = usage_.openai();
      exchange_->write(sse_data(chunk));
    }
    exchange_->write(fmt::format(": reused {}\n\n", reuse_));
    exchange_->write("data: [DONE]\n\n");
    exchange_->end_stream();
  }

 private:
  void say_text(std::size_t index, std::string_view text) override {
    send(index, {{"content", text}}, take_logprobs(choices_[index]), nullptr);
  }

  // S7: id, type and name once, then the arguments.
  void say_call(std::size_t index, json::object described) override {
    Choice& choice = choices_[index];
    json::object& function = described["function"].get_object();
    const json::string arguments = std::exchange(function["arguments"], "").get_string();
    if (shape_.legacy_functions) {
      send(index, {{"function_call", function}}, take_logprobs(choice), nullptr);
      send(index, {{"function_call", {{"arguments", arguments}}}}, nullptr, nullptr);
      return;
    }
    described["index"] = choice.calls_made;
    send(index, {{"tool_calls", json::array{described}}}, take_logprobs(choice), nullptr);
    const json::object rest{{"index", choice.calls_made}, {"function", {{"arguments", arguments}}}};
    send(index, {{"tool_calls", json::array{rest}}}, nullptr, nullptr);
  }

  void end_of_choice(std::size_t index) override {
    Choice& choice = choices_[index];
    if (!choice.logprobs.empty()) send(index, {{"content", ""}}, take_logprobs(choice), nullptr);
    send(index, {}, nullptr, json::value(choice.finish));
  }

  void send(std::size_t index, json::object delta, json::value logprobs, json::value finish) {
    json::object chunk = frame("chat.completion.chunk");
    chunk["choices"] = json::array{json::object{{"index", index},
                                                {"delta", std::move(delta)},
                                                {"logprobs", std::move(logprobs)},
                                                {"finish_reason", std::move(finish)}}};
    if (shape_.include_usage) chunk["usage"] = nullptr;  // S5
    exchange_->write(sse_data(chunk));
  }
};

}  // namespace

// The exchange is shared with its connection.
std::unique_ptr<AnswerSink> make_chat_sink(const Service& service,
                                           std::shared_ptr<Exchange> exchange, ChatShape shape) {
  if (shape.stream)
    return std::make_unique<StreamedChat>(service, std::move(exchange), std::move(shape));
  return std::make_unique<WholeChat>(service, std::move(exchange), std::move(shape));
}

void Usage::add(const engine::Answer& answer) {
  prompt = answer.prompt_tokens;
  cached = std::max(cached, answer.reused_tokens);
  answers += static_cast<std::int64_t>(answer.tokens.size());
  accepted += answer.accepted_prediction_tokens;
  rejected += answer.rejected_prediction_tokens;
}

json::object Usage::openai() const {
  return {{"prompt_tokens", prompt},
          {"completion_tokens", answers},
          {"total_tokens", prompt + answers},
          {"prompt_tokens_details", {{"cached_tokens", cached}, {"audio_tokens", 0}}},
          {"completion_tokens_details",
           {{"reasoning_tokens", 0},
            {"audio_tokens", 0},
            {"accepted_prediction_tokens", accepted},
            {"rejected_prediction_tokens", rejected}}}};
}

std::string_view finish_word(engine::FinishReason reason) {
  return reason == engine::FinishReason::length ? "length" : "stop";
}

std::string reuse_text(const engine::Answer& answer) {
  std::string text =
      fmt::format("{} of {} prompt tokens", answer.reused_tokens, answer.prompt_tokens);
  if (!answer.reuse_note.empty()) text += "; " + answer.reuse_note;
  return text;
}

void add_ignored(HttpResponse& response, const std::vector<std::string>& ignored) {
  constexpr std::size_t bytes_max = 1024;
  std::string names;
  for (const std::string& name : ignored) {
    if (names.size() + name.size() > bytes_max) break;
    // A header holds ASCII only; names come from the request.
    const bool plain = std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7f; });
    if (plain) names += (names.empty() ? "" : ", ") + name;
  }
  if (!names.empty()) response.headers.push_back({"x-herd-ignored", std::move(names)});
}

}  // namespace herd::server
