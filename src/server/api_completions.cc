// POST /v1/completions (spec/api.md E1): plain text goes on. With echo and logprobs, the probability of given texts,
// which is how lm-evaluation-harness measures.
#include <algorithm>
#include <ctime>
#include <numeric>

#include "base/limits.h"
#include "server/answers.h"
#include "server/chat_sinks.h"
#include "server/constraints.h"
#include "server/endpoints.h"
#include "server/generation_options.h"
#include "server/prompt_reader.h"
#include "server/random_id.h"
#include "server/request_body.h"
#include "server/sse.h"
#include "text/utf8.h"

namespace herd::server {
namespace {

constexpr std::int64_t best_of_max = 20;
constexpr std::int64_t logprobs_max = 5;
constexpr std::int64_t tokens_default = 16;

struct Shape {
  AskedModel model;
  std::size_t n = 1, best_of = 1;  // for each prompt
  bool stream = false, include_usage = false, echo = false;
  bool no_answer = false;  // max_tokens 0: the prompt alone is wanted back
  std::int64_t logprobs = -1;
  std::vector<PlainPrompt> prompts;
  std::vector<std::string> ignored;
};

// One of the answers while it grows.
struct Choice {
  std::string text;
  std::vector<engine::TokenEvent> tokens;  // with logprobs; not yet sent, where streamed
  std::vector<engine::TokenEvent> prompt;  // the prompt's, with echo
  std::size_t characters = 0;              // said before `tokens`
  double logprob = 0;
  std::string finish;
};

class Sink final : public AnswerSink {
 public:
  Sink(const Service& service, SharedExchange exchange, Shape shape)
      : service_(service),
        exchange_(std::move(exchange)),
        shape_(std::move(shape)),
        choices_(shape_.prompts.size() * shape_.best_of) {}

  void begin() override {
    if (!shape_.stream) return;
    HttpResponse head = sse_head();
    add_ignored(head, shape_.ignored);
    exchange_->begin_stream(std::move(head), std::string(sse_idle_text));
    for (std::size_t i = 0; i < choices_.size() && shape_.echo && shape_.logprobs < 0; ++i)
      send(i, shape_.prompts[i / shape_.best_of].text, nullptr, nullptr);
  }

  void progress(std::size_t, std::int64_t done, std::int64_t total) override {
    if (shape_.stream) exchange_->write(fmt::format(": prompt {}/{}\n\n", done, total));
  }

  void prompt_logprobs(std::size_t index, std::vector<engine::TokenEvent> events) override {
    if (!shape_.echo) return;
    choices_[index].prompt = std::move(events);
    if (!shape_.stream) return;
    Choice& choice = choices_[index];
    choice.tokens = std::exchange(choice.prompt, {});
    send(index, shape_.prompts[index / shape_.best_of].text, logprobs_json(choice, true), nullptr);
  }

  void token(std::size_t index, const engine::TokenEvent& event) override {
    Choice& choice = choices_[index];
    choice.logprob += event.logprob;
    if (shape_.no_answer) return;
    if (shape_.logprobs >= 0) choice.tokens.push_back(event);
    if (!shape_.stream) {
      choice.text += event.text;
    } else if (!event.text.empty()) {
      send(index, event.text, logprobs_json(choice, false), nullptr);
    }
  }

  void finished(std::size_t index, engine::Answer answer) override {
    Choice& choice = choices_[index];
    choice.finish = finish_word(answer.finish_reason);
    if (shape_.no_answer) answer.tokens.clear();
    if (!answer.tokens.empty()) choice.logprob /= static_cast<double>(answer.tokens.size());
    if (index % shape_.best_of == 0) {
      usage_.prompt += answer.prompt_tokens;
      usage_.cached += answer.reused_tokens;
    }
    usage_.answers += static_cast<std::int64_t>(answer.tokens.size());
    if (index == 0) reuse_ = reuse_text(answer);
    if (shape_.no_answer) return finish_stream(index);
    // Among the logprobs the token that ends is one of the answer's: lm-evaluation-harness counts on it.
    if (shape_.logprobs >= 0 && answer.stop_token)
      choice.tokens.push_back(std::move(answer.stop_event));
    if (!shape_.stream) {
      choice.text += answer.tail;
    } else if (!answer.tail.empty() || !choice.tokens.empty()) {
      send(index, answer.tail, logprobs_json(choice, false), nullptr);
    }
    finish_stream(index);
  }

  void all_finished() override {
    if (!shape_.stream) return respond();
    if (shape_.include_usage) {
      json::object chunk = frame();
      chunk["choices"] = json::array();
      chunk["usage"] = usage_.openai();
      exchange_->write(sse_data(chunk));
    }
    exchange_->write("data: [DONE]\n\n");
    exchange_->end_stream();
  }

  void failed(const ApiError& error) override {
    const std::string& id = exchange_->request().id;
    if (!exchange_->answered())
      return exchange_->respond(error_response(error, Surface::openai, id));
    exchange_->write(sse_data(error_body(error, Surface::openai, id)));
    exchange_->end_stream();
  }

 private:
  [[nodiscard]] json::object frame() const {
    return {{"id", id_},
            {"object", "text_completion"},
            {"created", created_},
            {"model", shape_.model.id},
            {"system_fingerprint", shape_.model.fingerprint}};
  }

  void finish_stream(std::size_t index) {
    if (shape_.stream) send(index, "", nullptr, json::value(choices_[index].finish));
  }

  void send(std::size_t index, std::string_view text, json::value logprobs, json::value finish) {
    json::object chunk = frame();
    chunk["choices"] = json::array{json::object{{"index", index},
                                                {"text", text},
                                                {"logprobs", std::move(logprobs)},
                                                {"finish_reason", std::move(finish)}}};
    if (shape_.include_usage) chunk["usage"] = nullptr;
    exchange_->write(sse_data(chunk));
  }

  // The four lists of OpenAI's completions for the tokens that have gathered, and forgets them.
  json::value logprobs_json(Choice& choice, bool prompt_first) {
    if (shape_.logprobs < 0) return nullptr;
    const text::Tokenizer& tokenizer = service_.bundle().tokenizer;
    json::array tokens, logprobs, tops, offsets;
    bool first = prompt_first;  // the first token of all follows nothing: it has no probability
    for (const engine::TokenEvent& event : choice.tokens) {
      const std::string_view bytes = tokenizer.bytes_of(event.token);
      tokens.push_back(json::string(text::replace_invalid_utf8(bytes)));
      offsets.push_back(choice.characters);
      // Bytes that continue a character belong to the one before; control tokens are no text.
      if (!tokenizer.is_special(event.token))
        choice.characters += static_cast<std::size_t>(std::ranges::count_if(
            bytes, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
      json::object top;
      for (const engine::TopToken& each : event.top)
        top[text::replace_invalid_utf8(tokenizer.bytes_of(each.token))] = clamped(each.logprob);
      logprobs.push_back(first ? json::value(nullptr) : json::value(clamped(event.logprob)));
      tops.push_back(first ? json::value(nullptr) : json::value(std::move(top)));
      first = false;
    }
    choice.tokens.clear();
    return json::object{{"tokens", std::move(tokens)},
                        {"token_logprobs", std::move(logprobs)},
                        {"top_logprobs", std::move(tops)},
                        {"text_offset", std::move(offsets)}};
  }

  static double clamped(double logprob) { return logprob >= -9999.0 ? logprob : -9999.0; }

  void respond() {
    json::array out;
    for (std::size_t prompt = 0; prompt < shape_.prompts.size(); ++prompt) {
      std::vector<std::size_t> order(shape_.best_of);
      std::iota(order.begin(), order.end(), prompt * shape_.best_of);
      if (shape_.best_of > shape_.n)
        std::ranges::stable_sort(order, std::ranges::greater(),
                                 [&](std::size_t i) { return choices_[i].logprob; });
      for (std::size_t k = 0; k < shape_.n; ++k) out.push_back(choice_json(order[k], prompt, k));
    }
    json::object body = frame();
    body["choices"] = std::move(out);
    body["usage"] = usage_.openai();
    HttpResponse response = json_response(body);
    response.headers.push_back({"x-herd-reused", reuse_});
    add_ignored(response, shape_.ignored);
    exchange_->respond(std::move(response));
  }

  json::object choice_json(std::size_t from, std::size_t prompt, std::size_t k) {
    Choice& choice = choices_[from];
    const bool with_prompt = !choice.prompt.empty();
    std::vector<engine::TokenEvent> all = std::move(choice.prompt);
    std::ranges::move(choice.tokens, std::back_inserter(all));
    choice.tokens = std::move(all);
    return {{"index", prompt * shape_.n + k},
            {"text", (shape_.echo ? shape_.prompts[prompt].text : std::string()) + choice.text},
            {"logprobs", logprobs_json(choice, with_prompt)},
            {"finish_reason", choice.finish}};
  }

  const Service& service_;
  SharedExchange exchange_;
  Shape shape_;
  std::vector<Choice> choices_;
  std::string id_ = random_id("cmpl-", 12);
  std::int64_t created_ = std::time(nullptr);
  Usage usage_;
  std::string reuse_;
};

void read_shape(Fields& fields, Shape& shape) {
  shape.n = static_cast<std::size_t>(
      fields.integer("n", 1, static_cast<std::int64_t>(limits::choices_max)).value_or(1));
  shape.stream = fields.boolean("stream").value_or(false);
  if (const json::object* options = fields.object("stream_options")) {
    if (!shape.stream)
      fields.wrong("stream_options", "invalid_value", "'stream_options' needs 'stream': true");
    Fields inner(*options, "stream_options", fields.problem());
    shape.include_usage = inner.boolean("include_usage").value_or(false);
    inner.boolean("include_obfuscation");
    inner.done();
  }
  const auto best_of = fields.integer("best_of", 1, best_of_max);
  shape.best_of = best_of ? static_cast<std::size_t>(*best_of) : shape.n;
  if (shape.best_of < shape.n)
    fields.wrong("best_of", "invalid_value", "'best_of' is smaller than 'n'");
  if (shape.best_of > shape.n && shape.stream)
    fields.wrong("best_of", "invalid_value", "the best cannot be known while they are streamed");
  shape.echo = fields.boolean("echo").value_or(false);
  shape.logprobs = fields.integer("logprobs", 0, logprobs_max).value_or(-1);
  if (const auto suffix = fields.text("suffix"); suffix && !suffix->empty())
    fields.wrong("suffix", "unsupported_parameter", "the model writes forwards only");
  fields.ignore("user");
}

struct Asked {
  std::vector<engine::Request> requests;
  Shape shape;
};

ApiResult<Asked> read_request(const Service& service, const HttpRequest& http) {
  RequestBody body(service, http, RequestBody::Model::required);
  Problem& problem = body.problem;
  Fields& fields = body.fields;
  if (problem) return problem.error();

  Asked asked;
  Shape& shape = asked.shape;
  engine::Request request;
  request.options = read_generation(fields, service);
  refuse_foreign(fields);
  WantedForm form;
  read_response_format(fields, form);
  read_foreign_forms(fields, form);
  read_shape(fields, shape);
  const auto said = fields.integer("max_tokens", 0, 1ll << 40);
  shape.prompts = read_plain_prompts(fields, "prompt", service.bundle(), limits::prompts_max);
  fields.done();
  if (problem) return problem.error();
  ReadConversation none;
  HERD_TRY_VOID(constrain(service, form, {}, none, request, problem.ignored));
  shape.ignored = problem.ignored;
  shape.no_answer = said == 0;
  if (shape.prompts.size() * shape.best_of > limits::choices_max)
    return refuse(400, "out_of_range",
                  fmt::format("{} prompts with {} answers each, at most {} together",
                              shape.prompts.size(), shape.best_of, limits::choices_max),
                  "prompt");

  request.tenant = http.key;
  HERD_TRY(shape.model, service.asked_model(body.model, request));
  request.options.top_logprobs =
      shape.best_of > shape.n ? std::max<std::int64_t>(shape.logprobs, 0) : shape.logprobs;
  request.prompt_logprobs = shape.echo && shape.logprobs >= 0;
  for (const auto& [prompt, text] : shape.prompts) {
    if (prompt.empty()) return refuse(400, "invalid_value", "a prompt has no tokens", "prompt");
    request.prompt.tokens = prompt;
    // One token is drawn even where none is wanted; the prompt's probabilities come with it.
    HERD_TRY(request.options.max_tokens,
             service.answer_tokens(static_cast<std::int64_t>(prompt.size()),
                                   std::max<std::int64_t>(said.value_or(tokens_default), 1),
                                   "max_tokens", "prompt"));
    for (std::size_t k = 0; k < shape.best_of; ++k)
      asked.requests.push_back(nth_request(request, k));
  }
  return asked;
}

}  // namespace

void completions(Service& service, SharedExchange exchange) {
  auto asked = read_request(service, exchange->request());
  if (!asked) return answer_with_error(exchange, asked.error(), Surface::openai);
  auto sink = std::make_unique<Sink>(service, exchange, std::move(asked->shape));
  Answers::start(service, std::move(exchange), std::move(asked->requests), std::move(sink));
}

}  // namespace herd::server
