// POST /v1/chat/completions (spec/api.md 2.2 to 2.4; ids in comments are its rules).
#include <algorithm>

#include "base/limits.h"
#include "server/chat_sinks.h"
#include "server/constraints.h"
#include "server/endpoints.h"
#include "server/generation_options.h"
#include "server/request_body.h"

namespace herd::server {
namespace {

struct Asked {
  engine::Request request;
  ChatShape shape;
};

// Old clients' functions and function_call, as tools.
void read_functions(Fields& fields, ChatShape& shape, ReadConversation& read, WantedCalls& calls) {
  const json::array* functions = fields.array("functions", limits::tools_max);
  if (functions != nullptr) {
    shape.legacy_functions = true;
    json::array tools;
    for (const json::value& function : *functions)
      tools.push_back({{"type", "function"}, {"function", function}});
    read_openai_tools(tools, read, fields.problem());
  }
  read_tool_choice(fields, "function_call", calls);
}

// What a request for speed says of its answer: text for speculation.
std::string read_prediction(Fields& fields) {
  const json::object* prediction = fields.object("prediction");
  std::string text;
  if (prediction == nullptr) return text;
  Fields inner(*prediction, "prediction", fields.problem());
  inner.require("type");
  inner.word("type", {"content"});
  inner.require("content");
  const json::value* content = inner.any("content");
  inner.done();
  if (content == nullptr) return text;
  if (content->is_string()) return std::string(text_of(*content));
  if (!content->is_array()) {
    inner.wrong("content", "invalid_type", "wanted a string or a list of text parts");
    return text;
  }
  for (std::size_t i = 0; i < content->get_array().size() && !fields.problem(); ++i) {
    const json::value& part = content->get_array()[i];
    const std::string path = item_path("prediction.content", i);
    if (!part.is_object()) {
      fields.problem().set("invalid_type", fmt::format("'{}' is no object", path), path);
      break;
    }
    Fields each(part.get_object(), path, fields.problem());
    each.word("type", {"text"});
    text += each.text("text").value_or("");
    each.done();
  }
  return text;
}

void read_metadata(Fields& fields) {
  constexpr std::size_t entries_max = 16, key_max = 64, value_max = 512;
  const json::object* metadata = fields.object("metadata");
  if (metadata == nullptr) return;
  fields.problem().ignored.emplace_back("metadata");
  if (metadata->size() > entries_max)
    fields.wrong(
        "metadata", "out_of_range",
        fmt::format("'metadata' has {} entries, at most {}", metadata->size(), entries_max));
  for (const auto& entry : *metadata)
    if (entry.key().size() > key_max || !entry.value().is_string() ||
        entry.value().get_string().size() > value_max)
      fields.wrong("metadata", "invalid_value",
                   fmt::format("'metadata' holds strings of at most {} bytes under keys of at most "
                               "{}",
                               value_max, key_max));
}

// Modes that change who serves a request or how it is kept, and not what the answer is.
void read_hints(Fields& fields, engine::Request& request) {
  for (const char* name :
       {"user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
        "prompt_cache_options", "web_search_options", "moderation", "guardrails"})
    fields.ignore(name);
  if (fields.word("reasoning_effort", {"none", "minimal", "low", "medium", "high", "xhigh", "max"}))
    fields.problem().ignored.emplace_back("reasoning_effort");
  if (fields.word("verbosity", {"low", "medium", "high"}))
    fields.problem().ignored.emplace_back("verbosity");
  const auto tier =
      fields.word("service_tier", {"auto", "default", "flex", "scale", "priority", "fast"});
  // Nobody can buy a place in front of others here, only step back.
  if (tier == "flex") request.priority = -1;
  read_metadata(fields);
  if (fields.boolean("store").value_or(false))
    fields.wrong("store", "unsupported_value", "answers are not stored here");
  if (const json::array* modalities = fields.array("modalities"))
    if (modalities->size() != 1 || !(*modalities)[0].is_string() ||
        text_of((*modalities)[0]) != "text")
      fields.wrong("modalities", "unsupported_value", "wanted [\"text\"]: the model only writes");
  fields.refuse("audio", "the model does not speak");
}

void read_stream(Fields& fields, ChatShape& shape) {
  shape.stream = fields.boolean("stream").value_or(false);
  const json::object* options = fields.object("stream_options");
  if (options == nullptr) return;
  if (!shape.stream)
    return fields.wrong("stream_options", "invalid_value", "'stream_options' needs 'stream': true");
  Fields inner(*options, "stream_options", fields.problem());
  shape.include_usage = inner.boolean("include_usage").value_or(false);
  inner.boolean("include_obfuscation");  // without padding there is nothing to leave out
  inner.done();
}

void read_logprobs(Fields& fields, engine::GenerateOptions& options) {
  const bool wanted = fields.boolean("logprobs").value_or(false);
  const auto top =
      fields.integer("top_logprobs", 0, static_cast<std::int64_t>(limits::top_logprobs_max));
  if (top && !wanted)
    fields.wrong("top_logprobs", "invalid_value", "'top_logprobs' needs 'logprobs': true");
  if (wanted) options.top_logprobs = top.value_or(0);
}

ApiResult<Asked> read_request(const Service& service, const HttpRequest& http) {
  RequestBody body(service, http, RequestBody::Model::required);
  Problem& problem = body.problem;
  Fields& fields = body.fields;
  fields.require("messages");
  if (problem) return problem.error();

  Asked asked;
  ChatShape& shape = asked.shape;
  asked.request.options = read_generation(fields, service);
  refuse_foreign(fields);
  shape.choices = static_cast<std::size_t>(
      fields.integer("n", 1, static_cast<std::int64_t>(limits::choices_max)).value_or(1));
  auto wanted = fields.integer("max_tokens", 1, 1ll << 40);
  if (const auto newer = fields.integer("max_completion_tokens", 1, 1ll << 40)) wanted = newer;
  read_stream(fields, shape);
  read_logprobs(fields, asked.request.options);
  WantedForm form;
  read_response_format(fields, form);
  read_foreign_forms(fields, form);
  read_hints(fields, asked.request);
  const std::string prediction = read_prediction(fields);

  const json::array* messages = fields.array("messages", limits::messages_max);
  const json::array* tools = fields.array("tools", limits::tools_max);
  ReadConversation read;
  if (messages != nullptr && !problem) read = read_openai_messages(*messages, problem);
  if (tools != nullptr && !problem) read_openai_tools(*tools, read, problem);
  WantedCalls calls;
  read_tool_choice(fields, "tool_choice", calls);
  read_functions(fields, shape, read, calls);
  const bool parallel = fields.boolean("parallel_tool_calls").value_or(true);
  calls.one = calls.one || !parallel || shape.legacy_functions;
  shape.one_call = calls.one;
  fields.done();
  if (problem) return problem.error();
  HERD_TRY_VOID(constrain(service, form, calls, read, asked.request, problem.ignored));
  shape.tools = read.tools;

  service.turns().recall(http.key, read.conversation);
  HERD_TRY(asked.request.prompt, service.chat_prompt(read));
  HERD_TRY(asked.request.options.max_tokens,
           service.answer_tokens(static_cast<std::int64_t>(asked.request.prompt.tokens.size()),
                                 wanted, "max_tokens"));
  if (asked.request.options.min_tokens > asked.request.options.max_tokens)
    return refuse(
        400, "out_of_range",
        fmt::format("'min_tokens' is {}, more than the {} tokens that the answer may have",
                    asked.request.options.min_tokens, asked.request.options.max_tokens),
        "min_tokens");
  asked.request.tenant = http.key;
  HERD_TRY(shape.model, service.asked_model(body.model, asked.request));
  if (!prediction.empty())
    service.bundle().tokenizer.append(prediction, text::SpecialTokens::as_text,
                                      asked.request.prediction);
  // No more of it can come true.
  const auto longest = static_cast<std::size_t>(asked.request.options.max_tokens);
  if (asked.request.prediction.size() > longest) asked.request.prediction.resize(longest);
  shape.logprobs = asked.request.options.top_logprobs >= 0;
  shape.top_logprobs = asked.request.options.top_logprobs;
  shape.ignored = problem.ignored;
  return asked;
}

}  // namespace

// Shared with its connection.
void chat_completions(Service& service, std::shared_ptr<Exchange> exchange) {
  auto asked = read_request(service, exchange->request());
  if (!asked) return answer_with_error(exchange, asked.error(), Surface::openai);
  std::vector<engine::Request> requests;
  for (std::size_t i = 0; i < asked->shape.choices; ++i)
    requests.push_back(nth_request(asked->request, i));
  auto sink = make_chat_sink(service, exchange, std::move(asked->shape));
  Answers::start(service, std::move(exchange), std::move(requests), std::move(sink));
}

}  // namespace herd::server
