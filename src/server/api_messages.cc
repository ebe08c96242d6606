// POST /v1/messages and /v1/messages/count_tokens: Anthropic's surface (spec/api.md 2.7).
#include "base/limits.h"
#include "server/answers.h"
#include "server/chat_sinks.h"
#include "server/constraints.h"
#include "server/endpoints.h"
#include "server/generation_options.h"
#include "server/random_id.h"
#include "server/request_body.h"
#include "server/sse.h"
#include "text/tool_call_stream.h"

namespace herd::server {
namespace {

using text::ToolCallEvent;

struct Shape {
  AskedModel model;
  bool stream = false;
  bool one_call = false;
  bool clamped = false;  // max_tokens was more than the context has room for
  std::vector<std::string> tools;
  std::vector<std::string> ignored;
};

class Sink final : public AnswerSink {
 public:
  Sink(const Service& service, SharedExchange exchange, Shape shape, std::int64_t prompt_tokens)
      : service_(service),
        exchange_(std::move(exchange)),
        shape_(std::move(shape)),
        parser_(shape_.tools),
        prompt_tokens_(prompt_tokens) {}

  void begin() override {
    if (!shape_.stream) return;
    HttpResponse head = sse_head();
    add_ignored(head, shape_.ignored);
    exchange_->begin_stream(std::move(head), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    json::object message = frame();
    message["usage"] = json::object{{"input_tokens", prompt_tokens_}, {"output_tokens", 0}};
    event("message_start", {{"message", std::move(message)}});
  }

  void progress(std::size_t, std::int64_t done, std::int64_t total) override {
    if (shape_.stream) exchange_->write(fmt::format(": prompt {}/{}\n\n", done, total));
  }

  void token(std::size_t, const engine::TokenEvent& each) override {
    take(parser_.push(each.text));
  }

  void finished(std::size_t, engine::Answer answer) override {
    take(parser_.push(answer.tail));
    take(parser_.finish());
    service_.turns().add_whole(std::move(said_), exchange_->request().key, answer, closed_);
    answer_ = std::move(answer);
  }

  void all_finished() override {
    end_block();
    if (!shape_.stream) {
      json::object body = frame();
      body["content"] = std::move(blocks_);
      body["stop_reason"] = stop_reason();
      body["stop_sequence"] = stop_sequence();
      body["usage"] = usage();
      HttpResponse response = json_response(body);
      response.headers.push_back({"x-herd-reused", reuse_text(answer_)});
      add_ignored(response, shape_.ignored);
      return exchange_->respond(std::move(response));
    }
    event("message_delta",
          {{"delta", {{"stop_reason", stop_reason()}, {"stop_sequence", stop_sequence()}}},
           {"usage", usage()}});
    event("message_stop", {});
    exchange_->end_stream();
  }

  void failed(const ApiError& error) override {
    const std::string& id = exchange_->request().id;
    if (!exchange_->answered())
      return exchange_->respond(error_response(error, Surface::anthropic, id));
    exchange_->write(sse_event("error", error_body(error, Surface::anthropic, id)));
    exchange_->end_stream();
  }

 private:
  [[nodiscard]] json::object frame() const {
    return {{"id", id_},
            {"type", "message"},
            {"role", "assistant"},
            {"model", shape_.model.id},
            {"content", json::array()},
            {"stop_reason", nullptr},
            {"stop_sequence", nullptr}};
  }

  void event(std::string_view name, json::object data) {
    json::object whole{{"type", name}};
    for (auto& member : data) whole[member.key()] = std::move(member.value());
    exchange_->write(sse_event(name, whole));
  }

  void take(const std::vector<ToolCallEvent>& events) {
    for (const ToolCallEvent& each : events) {
      if (closed_) return;
      if (!each.is_call()) {
        say(each.text);
        continue;
      }
      call(each);
      if (shape_.one_call) {
        closed_ = true;
        stop(0);
      }
    }
  }

  void say(std::string_view text) {
    if (text.empty()) return;
    if (!in_text_) {
      in_text_ = true;
      if (shape_.stream)
        event("content_block_start",
              {{"index", index_}, {"content_block", {{"type", "text"}, {"text", ""}}}});
    }
    text_ += text;
    if (!shape_.tools.empty()) said_.text += text;
    if (shape_.stream)
      event("content_block_delta",
            {{"index", index_}, {"delta", {{"type", "text_delta"}, {"text", text}}}});
  }

  void end_block() {
    if (!in_text_) return;
    in_text_ = false;
    if (shape_.stream) event("content_block_stop", {{"index", index_}});
    blocks_.push_back({{"type", "text"}, {"text", std::exchange(text_, {})}});
    ++index_;
  }

  void call(const ToolCallEvent& each) {
    end_block();
    ++calls_;
    const std::string id = random_id("toolu_", 12);
    said_.calls.push_back({.id = id, .name = each.name, .arguments = each.arguments});
    json::object block{{"type", "tool_use"}, {"id", id}, {"name", each.name}};
    if (shape_.stream) {
      // A3: the block begins without input, which follows as text.
      json::object start = block;
      start["input"] = json::object();
      event("content_block_start", {{"index", index_}, {"content_block", std::move(start)}});
      event("content_block_delta",
            {{"index", index_},
             {"delta",
              {{"type", "input_json_delta"}, {"partial_json", json::serialize(each.arguments)}}}});
      event("content_block_stop", {{"index", index_}});
    }
    block["input"] = each.arguments;
    blocks_.push_back(std::move(block));
    ++index_;
  }

  [[nodiscard]] std::string_view stop_reason() const {
    if (answer_.finish_reason == engine::FinishReason::length)
      return shape_.clamped ? "model_context_window_exceeded" : "max_tokens";
    if (calls_ > 0) return "tool_use";
    return answer_.stop_string.empty() ? "end_turn" : "stop_sequence";
  }
  [[nodiscard]] json::value stop_sequence() const {
    if (answer_.stop_string.empty()) return nullptr;
    return json::value(answer_.stop_string);
  }
  // Here the input leaves out what was in the cache.
  [[nodiscard]] json::object usage() const {
    return {{"input_tokens", answer_.prompt_tokens - answer_.reused_tokens},
            {"output_tokens", answer_.tokens.size()},
            {"cache_creation_input_tokens", 0},
            {"cache_read_input_tokens", answer_.reused_tokens}};
  }

  const Service& service_;
  SharedExchange exchange_;
  Shape shape_;
  text::ToolCallStream parser_;
  std::int64_t prompt_tokens_;
  std::string id_ = random_id("msg_", 12);
  json::array blocks_;
  std::size_t index_ = 0;
  std::string text_;
  bool in_text_ = false;
  bool closed_ = false;
  std::size_t calls_ = 0;
  SaidTurn said_;
  engine::Answer answer_;
};

void read_choice_of_tools(Fields& fields, WantedCalls& calls) {
  using Choice = WantedCalls::Choice;
  const json::object* choice = fields.object("tool_choice");
  if (choice == nullptr) return;
  Fields inner(*choice, "tool_choice", fields.problem());
  inner.require("type");
  const auto type = inner.word("type", {"auto", "any", "tool", "none"});
  calls.one = inner.boolean("disable_parallel_tool_use").value_or(false);
  if (type == "none") calls.choice = Choice::none;
  if (type == "any" || type == "tool") calls.choice = Choice::must;
  if (type == "tool") {
    inner.require("name");
    calls.only.push_back(inner.text("name", 64).value_or(""));
    calls.one = true;
  }
  inner.done();
}

// What the answer has to be by `output_config`.
void read_output_config(Fields& fields, WantedForm& form) {
  const json::object* output = fields.object("output_config");
  if (output == nullptr) return;
  Fields inner(*output, "output_config", fields.problem());
  inner.ignore("effort");
  if (const json::object* format = inner.object("format")) {
    Fields schema(*format, inner.path("format"), fields.problem());
    schema.require("type");
    schema.word("type", {"json_schema"});
    schema.require("schema");
    if (const json::object* described = schema.object("schema"))
      form = {.kind = WantedForm::Kind::schema,
              .schema = *described,
              .strict = true,
              .param = schema.path("schema")};
    schema.done();
  }
  inner.done();
}

// Members that ask for something that is not there, and those that change nothing of an answer.
void read_others(Fields& fields) {
  fields.ignore("metadata");
  fields.ignore("cache_control");
  // What the official client's tool runner sends since it knows threads: a conversation here is what its messages say.
  if (fields.object("thread") != nullptr) fields.problem().ignored.emplace_back("thread");
  if (fields.word("service_tier", {"auto", "standard_only"}))
    fields.problem().ignored.emplace_back("service_tier");
  fields.refuse("container", "no code is run");
  fields.refuse("mcp_servers", "no servers are called");
  if (const json::object* thinking = fields.object("thinking")) {
    Fields inner(*thinking, "thinking", fields.problem());
    inner.require("type");
    const auto type = inner.word("type", {"enabled", "disabled", "adaptive"});
    inner.integer("budget_tokens", 1, 1ll << 40);
    inner.text("display");
    inner.done();
    // A model without that skill answers at once, as one that was told to think little would.
    if (type && *type != "disabled") fields.problem().ignored.emplace_back("thinking");
  }
}

struct Asked {
  engine::Request request;
  Shape shape;
};

// The answer that the last message begins, which is then no message.
std::string take_prefill(ReadConversation& read, Problem& problem) {
  auto& messages = read.conversation.messages;
  if (messages.empty() || messages.back().role != text::Role::assistant ||
      !messages.back().tool_calls.empty())
    return {};
  std::string text = messages.back().text();
  if (text.empty() || std::string_view(" \t\r\n").contains(text.back()))
    problem.set("invalid_value",
                "the last message is the beginning of the answer: it must not be empty nor end "
                "with white space",
                "messages");
  messages.pop_back();
  return text;
}

ApiResult<Asked> read_request(const Service& service, const HttpRequest& http, bool count_only) {
  RequestBody body(service, http, RequestBody::Model::required);
  Problem& problem = body.problem;
  Fields& fields = body.fields;
  fields.require("messages");
  if (!count_only) fields.require("max_tokens");
  const auto wanted = fields.integer("max_tokens", 1, 1ll << 40);
  if (problem) return problem.error();

  Asked asked;
  Shape& shape = asked.shape;
  engine::GenerateOptions& options = asked.request.options;
  const json::object nothing;
  Fields none(nothing, "", problem);
  options = read_generation(none, service);
  if (const auto x = fields.number("temperature", 0, 1)) options.sampling.temperature = *x;
  if (const auto x = fields.number("top_p", 0, 1)) options.sampling.top_p = *x;
  if (const auto k = fields.integer("top_k", 0, 1 << 30)) options.sampling.top_k = *k;
  options.stop = read_stop_strings(fields, "stop_sequences", limits::stop_strings_max);
  shape.stream = fields.boolean("stream").value_or(false);
  read_others(fields);
  WantedForm form;
  read_output_config(fields, form);

  const json::value* system = fields.any("system");
  const json::array* list = fields.array("messages", limits::messages_max);
  const json::array* tools = fields.array("tools", limits::tools_max);
  ReadConversation read;
  if (list != nullptr && !problem) read = read_anthropic_messages(system, *list, tools, problem);
  WantedCalls calls;
  read_choice_of_tools(fields, calls);
  shape.one_call = calls.one;
  fields.done();
  std::string prefill;
  if (!problem) prefill = take_prefill(read, problem);
  if (problem) return problem.error();
  HERD_TRY_VOID(constrain(service, form, calls, read, asked.request, problem.ignored));
  shape.tools = read.tools;
  if (options.grammar && !prefill.empty())
    return refuse(400, "invalid_value",
                  "an answer that is begun by the last message cannot be held to a schema or to "
                  "calls of tools",
                  "messages");

  service.turns().recall(http.key, read.conversation);
  HERD_TRY(asked.request.prompt, service.chat_prompt(read, prefill));
  asked.request.tenant = http.key;
  if (!count_only) {
    HERD_TRY(shape.model, service.asked_model(body.model, asked.request));
  }
  shape.ignored = problem.ignored;
  const auto tokens = static_cast<std::int64_t>(asked.request.prompt.tokens.size());
  // Clients of this surface ask for far more than they expect: the answer ends where the context does.
  HERD_TRY(const std::int64_t room, service.answer_tokens(tokens, std::nullopt, "max_tokens"));
  options.max_tokens = std::min(wanted.value_or(room), room);
  shape.clamped = wanted.value_or(room) > room;
  return asked;
}

}  // namespace

void messages(Service& service, SharedExchange exchange) {
  auto asked = read_request(service, exchange->request(), false);
  if (!asked) return answer_with_error(exchange, asked.error(), Surface::anthropic);
  auto sink =
      std::make_unique<Sink>(service, exchange, std::move(asked->shape),
                             static_cast<std::int64_t>(asked->request.prompt.tokens.size()));
  std::vector<engine::Request> requests;
  requests.push_back(std::move(asked->request));
  Answers::start(service, std::move(exchange), std::move(requests), std::move(sink));
}

void count_tokens(Service& service, SharedExchange exchange) {
  const auto asked = read_request(service, exchange->request(), true);
  if (!asked) return answer_with_error(exchange, asked.error(), Surface::anthropic);
  HttpResponse response =
      json_response(json::object{{"input_tokens", asked->request.prompt.tokens.size()}});
  answer_with(exchange, std::move(response));
}

}  // namespace herd::server
