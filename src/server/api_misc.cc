// The small endpoints: models, tokens, prompts, and how the server is.
#include <chrono>

#include "base/limits.h"
#include "server/endpoints.h"
#include "server/generation_options.h"
#include "server/metrics.h"
#include "server/request_body.h"
#include "text/utf8.h"

namespace herd::server {
namespace {

// An engine whose thread has not been seen for so long is stuck.
constexpr std::chrono::seconds heartbeat_max{5};

// The model itself first, then its adapters, which name it as their parent.
json::array models_json(const Service& service) {
  const std::string& own = service.options().model_id;
  const auto one = [&](std::string_view id, std::int64_t created, json::value parent) {
    return json::object{
        {"id", id},           {"object", "model"},           {"created", created},
        {"owned_by", "herd"}, {"parent", std::move(parent)}, {"max_model_len", service.context()}};
  };
  json::array out{one(own, service.options().created, nullptr)};
  if (service.adapters() == nullptr) return out;
  for (const Adapters::Listed& each : service.adapters()->list())
    if (each.name != own) out.push_back(one(each.name, each.created, json::value(own)));
  return out;
}

// `messages` and `tools` of a request as a conversation.
ReadConversation read_conversation(Fields& fields) {
  ReadConversation read;
  const json::array* messages = fields.array("messages", limits::messages_max);
  const json::array* tools = fields.array("tools", limits::tools_max);
  if (messages != nullptr && !fields.problem())
    read = read_openai_messages(*messages, fields.problem());
  if (tools != nullptr && !fields.problem()) read_openai_tools(*tools, read, fields.problem());
  return read;
}

json::array ids_json(std::span<const std::int32_t> ids) {
  json::array out;
  for (const std::int32_t id : ids) out.push_back(id);
  return out;
}

ApiResult<json::object> tokens_of(const Service& service, const HttpRequest& http) {
  RequestBody body(service, http, RequestBody::Model::optional);
  Problem& problem = body.problem;
  Fields& fields = body.fields;
  if (problem) return problem.error();
  // "content" is llama.cpp's word, "prompt" vLLM's.
  const auto content = fields.text("content");
  const auto prompt = fields.text("prompt");
  const bool begin =
      fields.boolean(fields.has("add_special_tokens") ? "add_special_tokens" : "add_special")
          .value_or(false);
  const bool parse = fields.boolean("parse_special").value_or(false);
  const bool pieces = fields.boolean("with_pieces").value_or(false);
  ReadConversation read = read_conversation(fields);
  fields.done();
  if (problem) return problem.error();
  std::vector<std::int32_t> ids;
  if (!read.conversation.messages.empty()) {
    service.turns().recall(http.key, read.conversation);
    HERD_TRY(engine::Prompt whole, service.chat_prompt(read));
    ids = std::move(whole.tokens);
  } else if (content || prompt) {
    const engine::Bundle& bundle = service.bundle();
    if (begin && bundle.config.bos_token >= 0) ids.push_back(bundle.config.bos_token);
    bundle.tokenizer.append(content ? *content : *prompt,
                            parse ? text::SpecialTokens::parse : text::SpecialTokens::as_text, ids);
  } else {
    return refuse(400, "missing_required_parameter",
                  "'content' is missing: the text, or 'messages' instead", "content");
  }
  json::object out{
      {"tokens", ids_json(ids)}, {"count", ids.size()}, {"max_model_len", service.context()}};
  if (pieces) {
    json::array with;
    for (const std::int32_t id : ids)
      with.push_back(
          {{"id", id},
           {"piece", text::replace_invalid_utf8(service.bundle().tokenizer.bytes_of(id))}});
    out["tokens"] = std::move(with);
  }
  return out;
}

ApiResult<json::object> text_of_tokens(const Service& service, const HttpRequest& http) {
  RequestBody body(service, http, RequestBody::Model::optional);
  Problem& problem = body.problem;
  Fields& fields = body.fields;
  if (problem) return problem.error();
  fields.require("tokens");
  // More than a prompt can have would be text of any size.
  const json::array* tokens = fields.array("tokens", static_cast<std::size_t>(service.context()));
  fields.done();
  if (problem) return problem.error();
  std::vector<std::int32_t> ids;
  const std::int32_t size = service.bundle().tokenizer.size();
  for (std::size_t i = 0; i < tokens->size(); ++i) {
    const json::value& value = (*tokens)[i];
    if (!value.is_int64() || value.get_int64() < 0 || value.get_int64() >= size)
      return refuse(
          400, "invalid_value",
          fmt::format("'{}' is no token id, wanted 0 to {}", item_path("tokens", i), size - 1),
          item_path("tokens", i));
    ids.push_back(static_cast<std::int32_t>(value.get_int64()));
  }
  const std::string text =
      text::replace_invalid_utf8(service.bundle().tokenizer.decode(ids, false));
  return json::object{{"content", text}, {"prompt", text}};
}

ApiResult<json::object> prompt_of(const Service& service, const HttpRequest& http) {
  RequestBody body(service, http, RequestBody::Model::optional);
  Problem& problem = body.problem;
  Fields& fields = body.fields;
  if (problem) return problem.error();
  fields.require("messages");
  ReadConversation read = read_conversation(fields);
  fields.done();
  if (problem) return problem.error();
  service.turns().recall(http.key, read.conversation);
  HERD_TRY(const text::Prompt rendered, service.rendered(read));
  HERD_TRY(const engine::Prompt whole, service.chat_prompt(read));
  return json::object{{"prompt", rendered.text},
                      {"tokens", ids_json(whole.tokens)},
                      {"count", whole.tokens.size()}};
}

void answer_json(const SharedExchange& exchange, const ApiResult<json::object>& body) {
  if (!body) return answer_with_error(exchange, body.error(), Surface::openai);
  answer_with(exchange, json_response(*body));
}

}  // namespace

void models(Service& service, SharedExchange exchange) {
  answer_with(exchange,
              json_response(json::object{{"object", "list"}, {"data", models_json(service)}}));
}

void model(Service& service, SharedExchange exchange) {
  constexpr std::string_view prefix = "/v1/models/";
  const std::string name = exchange->request().path.substr(prefix.size());
  if (const auto known = service.check_model(name); !known)
    return answer_with_error(exchange, known.error(), Surface::openai);
  for (const json::value& each : models_json(service))
    if (text_of(each.at("id")) == name) return answer_with(exchange, json_response(each));
  answer_with_error(exchange,
                    {404, "model_not_found",
                     fmt::format("the model {} has been removed just now", shown(name)), "model"},
                    Surface::openai);
}

void tokenize(Service& service, SharedExchange exchange) {
  answer_json(exchange, tokens_of(service, exchange->request()));
}

void detokenize(Service& service, SharedExchange exchange) {
  answer_json(exchange, text_of_tokens(service, exchange->request()));
}

void render(Service& service, SharedExchange exchange) {
  answer_json(exchange, prompt_of(service, exchange->request()));
}

void health(Service&, SharedExchange exchange) {
  answer_with(exchange, json_response(json::object{{"status", "ok"}}));
}

void ready(Service& service, SharedExchange exchange) {
  const engine::EngineState state = service.engine().state();
  const auto age = std::chrono::steady_clock::now() - state.heartbeat;
  const bool alive = age < heartbeat_max;
  const std::string_view status = state.draining ? "draining" : alive ? "ready" : "stuck";
  HttpResponse response = json_response(
      json::object{{"status", status},
                   {"running", state.running},
                   {"waiting", state.waiting},
                   {"heartbeat_age_s",
                    std::chrono::duration_cast<std::chrono::duration<double>>(age).count()}},
      alive && !state.draining ? 200 : 503);
  if (response.status == 503) response.headers.push_back({"retry-after", "1"});
  answer_with(exchange, std::move(response));
}

void metrics(Service& service, SharedExchange exchange) {
  answer_with(exchange, {.status = 200,
                         .headers = {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}},
                         .body = metrics_text(service)});
}

void version(Service& service, SharedExchange exchange) {
  const bool needs_key = service.keys() != nullptr && service.keys()->required();
  answer_with(exchange,
              json_response(json::object{{"version", service.options().version},
                                         {"system_fingerprint", service.options().fingerprint},
                                         {"model", service.options().model_id},
                                         {"needs_key", needs_key}}));
}

void not_offered(Service&, SharedExchange exchange) {
  answer_with_error(exchange,
                    {404, "not_found",
                     fmt::format("{} is not offered: this server answers chats, completions and "
                                 "messages with text",
                                 exchange->request().path)},
                    Surface::openai);
}

}  // namespace herd::server
