// POST /v1/embeddings (spec/api.md E2): texts as vectors of length one. The model was not taught to compare texts; its
// vectors are the outputs of its final norm, their mean over a text's tokens unless `pooling` says "last".
#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/limits.h"
#include "base/log.h"
#include "server/chat_sinks.h"
#include "server/endpoints.h"
#include "server/generation_options.h"
#include "server/prompt_reader.h"

namespace herd::server {
namespace {

// Texts of one request that are in the engine at once: enough to fill its steps, few enough to leave the queue to
// others.
constexpr std::size_t at_once_max = 8;
constexpr std::uint64_t inputs_max = 2048;  // OpenAI's own bound

struct Asked {
  AskedModel model;
  SharedAdapters adapters;
  std::vector<PlainPrompt> inputs;
  engine::Pooling pooling = engine::Pooling::mean;
  std::optional<std::int64_t> dimensions;
  bool base64 = false;
  std::vector<std::string> ignored;
};

// The first `dimensions` numbers, or all, as a vector of length one. A vector of nothing but zeros stays.
std::vector<float> unit_vector(std::span<const float> vector, std::size_t dimensions) {
  double squares = 0;
  for (const float x : vector.first(dimensions))
    squares += static_cast<double>(x) * static_cast<double>(x);
  const double factor = squares > 0 ? 1 / std::sqrt(squares) : 0;
  std::vector<float> out;
  for (const float x : vector.first(dimensions))
    out.push_back(static_cast<float>(static_cast<double>(x) * factor));
  return out;
}

// Little-endian float32 in base64, which is what the official clients ask for.
std::string base64_of(std::span<const float> vector) {
  static_assert(std::endian::native == std::endian::little);
  std::string out((vector.size_bytes() + 2) / 3 * 4 + 1, '\0');
  void* to = out.data();
  const void* from = vector.data();
  const int length =
      EVP_EncodeBlock(static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from),
                      static_cast<int>(vector.size_bytes()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

// One request on its way: asks the engine for a few vectors at a time and answers when all are there. What the engine
// says is handled on the connection's strand.
class Embeddings : public Ending, public std::enable_shared_from_this<Embeddings> {
 public:
  Embeddings(Service& service, SharedExchange exchange, Asked asked)
      : service_(service),
        exchange_(std::move(exchange)),
        asked_(std::move(asked)),
        vectors_(asked_.inputs.size()) {}

  [[nodiscard]] const std::string& key() const override { return exchange_->request().key; }
  void fail(ApiError error) override {
    exchange_->post([self = shared_from_this(), error = std::move(error)] { self->end(error); });
  }

  void start() {
    service_.remember(shared_from_this());
    exchange_->drop_body();
    exchange_->post([self = shared_from_this()] {
      self->exchange_->on_gone([weak = std::weak_ptr(self)] {
        if (const auto live = weak.lock()) live->give_up();
      });
      self->submit();
    });
  }

 private:
  class Forward;

  void submit();
  void finished(std::size_t index, Result<engine::Answer> answer, std::vector<float> vector) {
    running_.erase(index);
    if (over_) return;
    if (!answer) return end(api_error(answer.error()));
    prompt_tokens_ += answer->prompt_tokens;
    const auto width = static_cast<std::int64_t>(vector.size());
    vectors_[index] = unit_vector(
        vector, static_cast<std::size_t>(std::min(asked_.dimensions.value_or(width), width)));
    if (++done_ == vectors_.size()) return respond();
    submit();
  }

  void respond() {
    over_ = true;
    json::array data;
    for (std::size_t i = 0; i < vectors_.size(); ++i) {
      json::value vector;
      if (asked_.base64)
        vector = base64_of(vectors_[i]);
      else
        vector = json::array(vectors_[i].begin(), vectors_[i].end());
      data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", std::move(vector)}});
    }
    HttpResponse response = json_response(json::object{
        {"object", "list"},
        {"data", std::move(data)},
        {"model", asked_.model.id},
        {"usage", {{"prompt_tokens", prompt_tokens_}, {"total_tokens", prompt_tokens_}}}});
    add_ignored(response, asked_.ignored);
    exchange_->respond(std::move(response));
  }

  void end(const ApiError& error) {
    if (over_) return;
    give_up();
    exchange_->respond(error_response(error, Surface::openai, exchange_->request().id));
  }

  void give_up() {
    over_ = true;
    for (const auto& [index, id] : running_) service_.engine().cancel(id);
  }

  Service& service_;
  SharedExchange exchange_;
  Asked asked_;
  std::vector<std::vector<float>> vectors_;       // [inputs]
  std::map<std::size_t, std::uint64_t> running_;  // by input, the engine's number
  std::size_t next_ = 0, done_ = 0;
  std::int64_t prompt_tokens_ = 0;
  bool over_ = false;
};

class Embeddings::Forward final : public engine::Listener {
 public:
  // The request is shared by its listeners and its connection.
  Forward(std::shared_ptr<Embeddings> request, std::size_t index)
      : request_(std::move(request)), index_(index) {}

  void token(const engine::TokenEvent&) override {}
  void embedding(std::span<const float> vector) override {
    vector_.assign(vector.begin(), vector.end());
  }
  void finished(Result<engine::Answer> answer) override {
    request_->exchange_->post([request = request_, index = index_, answer = std::move(answer),
                               vector = std::move(vector_)]() mutable {
      request->finished(index, std::move(answer), std::move(vector));
    });
  }

 private:
  std::shared_ptr<Embeddings> request_;  // shared by its listeners and its connection
  std::size_t index_;
  std::vector<float> vector_;
};

void Embeddings::submit() {
  while (!over_ && next_ < asked_.inputs.size() && running_.size() < at_once_max) {
    engine::Request request;
    request.prompt.tokens = asked_.inputs[next_].tokens;
    request.options.max_tokens = 0;
    request.pooling = asked_.pooling;
    request.tenant = exchange_->request().key;
    request.adapters = asked_.adapters;
    // Shared with the engine.
    const auto id = service_.engine().submit(std::move(request),
                                             std::make_shared<Forward>(shared_from_this(), next_));
    if (!id) {
      // Where others have filled the queue, ours go on when one of them has ended.
      if (id.error().code == Code::queue_full && !running_.empty()) return;
      ApiError error = api_error(id.error());
      if (id.error().code == Code::queue_full)
        error.retry_after_s = service_.engine().state().retry_after_s;
      return end(error);
    }
    running_[next_++] = *id;
  }
}

ApiResult<Asked> read_request(const Service& service, const HttpRequest& http) {
  HERD_TRY(const json::object body, parse_body(http.body));
  Problem problem;
  problem.accept_unknown = service.options().accept_unknown;
  Fields fields(body, "", problem);
  fields.require("model");
  const auto model = fields.text("model", 256);
  if (problem) return problem.error();

  HERD_TRY_VOID(service.check_model(*model));
  Asked asked;
  asked.base64 = fields.word("encoding_format", {"float", "base64"}).value_or("float") == "base64";
  const std::int64_t width = service.bundle().config.text.width;
  asked.dimensions = fields.integer("dimensions", 1, width);
  if (fields.word("pooling", {"mean", "last"}).value_or("mean") == "last")
    asked.pooling = engine::Pooling::last;
  fields.ignore("user");
  asked.inputs = read_plain_prompts(fields, "input", service.bundle(), inputs_max);
  fields.done();
  if (problem) return problem.error();
  asked.ignored = problem.ignored;
  for (std::size_t i = 0; i < asked.inputs.size(); ++i) {
    const PlainPrompt& input = asked.inputs[i];
    const std::string path = asked.inputs.size() == 1 ? "input" : item_path("input", i);
    if (input.text.empty() || input.tokens.empty())
      return refuse(400, "invalid_value", fmt::format("'{}' is empty", path), path);
    if (std::ssize(input.tokens) > service.context())
      return refuse(400, "context_length_exceeded",
                    fmt::format("'{}' has {} tokens, at most {}", path, input.tokens.size(),
                                service.context()),
                    path);
  }
  engine::Request named;
  HERD_TRY(asked.model, service.asked_model(*model, named));
  asked.adapters = std::move(named.adapters);
  return asked;
}

}  // namespace

void embeddings(Service& service, SharedExchange exchange) {
  auto asked = read_request(service, exchange->request());
  if (!asked) return answer_with_error(exchange, asked.error(), Surface::openai);
  // Shared by its listeners and its connection.
  std::make_shared<Embeddings>(service, std::move(exchange), std::move(*asked))->start();
}

}  // namespace herd::server
