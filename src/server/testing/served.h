// A whole server on models/cria, for tests: loaded once, asked over real sockets.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "base/json.h"
#include "engine/bundle.h"
#include "engine/engine.h"
#include "llama4/load.h"
#include "server/http.h"
#include "server/keys.h"
#include "server/routes.h"
#include "server/service.h"
#include "server/testing/raw_client.h"

namespace herd::server {

// Each event of a stream: its name (empty where it has none) and its data.
struct StreamEvent {
  std::string name;
  std::string data;

  [[nodiscard]] json::value value() const { return parse_json(data).value_or(nullptr); }
};

inline std::vector<StreamEvent> events_of(std::string_view body) {
  std::vector<StreamEvent> out;
  for (std::size_t end = 0; (end = body.find("\n\n")) != std::string_view::npos;
       body.remove_prefix(end + 2)) {
    StreamEvent event;
    std::string_view block = body.substr(0, end);
    while (!block.empty()) {
      const std::string_view line = block.substr(0, block.find('\n'));
      block.remove_prefix(std::min(line.size() + 1, block.size()));
      if (line.starts_with("event: ")) event.name = line.substr(7);
      if (line.starts_with("data: ")) event.data = line.substr(6);
    }
    if (!event.data.empty()) out.push_back(std::move(event));
  }
  return out;
}

// What is loaded once for all tests.
class Loaded {
 public:
  static Loaded& cria() {
    static Loaded loaded;
    return loaded;
  }

  ThreadPool pool{2};
  std::unique_ptr<llama4::Loaded> model;
  std::optional<engine::Bundle> bundle;

 private:
  Loaded() {
    const fs::path path = fs::path(HERD_ROOT) / "models/cria";
    model = std::move(llama4::load(path).value());
    bundle.emplace(std::move(engine::Bundle::open(path, model->config()).value()));
  }
};

class Served {
 public:
  explicit Served(engine::EngineOptions options = {.context = 2048}, Keys* keys = nullptr,
                  ServiceOptions service_options = {}, HttpOptions http_options = {},
                  Adapters* adapters = nullptr) {
    Loaded& cria = Loaded::cria();
    engine_ = std::move(
        engine::Engine::create(cria.model->model(), cria.bundle->tokenizer, cria.pool, options)
            .value());
    service_options.model_id = "cria";
    service_options.created = 1;
    service_options.fingerprint = "fp_test";
    service_options.version = "0";
    service_ = std::make_unique<Service>(*cria.bundle, *engine_, keys, service_options, adapters);
    router_ = std::make_unique<Router>(*service_);
    http_options.port = 0;
    http_options.tick = std::chrono::milliseconds(20);
    http_ = std::move(HttpServer::start(http_options, *router_).value());
    service_->http = http_.get();
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() {
    service_->end_all();
    http_->drain(std::chrono::milliseconds(200));
    engine_->drain(std::chrono::seconds(5));
    service_->http = nullptr;
    http_.reset();
  }

  [[nodiscard]] std::uint16_t port() const { return http_->port(); }
  [[nodiscard]] engine::Engine& engine() const { return *engine_; }
  [[nodiscard]] Service& service() const { return *service_; }
  [[nodiscard]] HttpServer& http() const { return *http_; }

  [[nodiscard]] std::string request(std::string_view method, std::string_view path,
                                    std::string_view body, std::string_view headers = "") const {
    return fmt::format("{} {} HTTP/1.1\r\nHost: localhost:{}\r\n{}{}{}Content-Length: {}\r\n\r\n{}",
                       method, path, port(), headers,
                       headers.empty() || headers.ends_with("\r\n") ? "" : "\r\n",
                       headers.contains("Content-Type") ? "" : "Content-Type: application/json\r\n",
                       body.size(), body);
  }
  Received ask(std::string_view method, std::string_view path, std::string_view body = "",
               std::string_view headers = "") const {
    RawClient client(port());
    client.send(request(method, path, body, headers));
    return client.receive(60'000);
  }
  Received post(std::string_view path, const json::value& body) const {
    return ask("POST", path, json::serialize(body));
  }

 private:
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<HttpServer> http_;
};

inline json::value parsed(const Received& got) {
  auto value = parse_json(got.body);
  EXPECT_TRUE(value.has_value()) << got.head << got.body;
  return value.value_or(nullptr);
}

// The member at "a.b.0.c", or null.
inline json::value at(const json::value& value, std::string_view path) {
  const json::value* here = &value;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(name.size() + 1, path.size()));
    if (here->is_array()) {
      std::size_t index = 0;
      std::from_chars(name.data(), name.data() + name.size(), index);
      if (index >= here->get_array().size()) return nullptr;
      here = &here->get_array()[index];
    } else {
      here = here->is_object() ? here->get_object().if_contains(name) : nullptr;
      if (here == nullptr) return nullptr;
    }
  }
  return *here;
}

// The list there, by value: at() gives a temporary, which a loop would outlive.
inline json::array list_at(const json::value& value, std::string_view path) {
  const json::value found = at(value, path);
  return found.is_array() ? found.get_array() : json::array();
}

inline std::string text_at(const json::value& value, std::string_view path) {
  const json::value found = at(value, path);
  return found.is_string() ? std::string(text_of(found)) : json::serialize(found);
}

// A question of one sentence, with what else the request says.
inline json::object chat(json::object more = {}, std::string_view said = "Hello") {
  json::object body{{"model", "cria"},
                    {"messages", json::array{json::object{{"role", "user"}, {"content", said}}}},
                    {"temperature", 0},
                    {"max_tokens", 12}};
  for (auto& member : more) body[member.key()] = std::move(member.value());
  return body;
}

}  // namespace herd::server
