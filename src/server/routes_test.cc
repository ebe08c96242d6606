// Who may enter, and the small endpoints; Anthropic's surface; what malformed requests leave behind.
#include "server/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/limits.h"
#include "base/rng.h"
#include "server/chat_sinks.h"
#include "server/testing/served.h"

namespace herd::server {
namespace {

using testing::HasSubstr;

const Served& served() {
  static const Served one;
  return one;
}

TEST(Routes, E9AnswersTheSmallEndpoints) {
  EXPECT_EQ(text_at(parsed(served().ask("GET", "/health")), "status"), "ok");
  EXPECT_EQ(text_at(parsed(served().ask("GET", "/ready")), "status"), "ready");
  EXPECT_EQ(text_at(parsed(served().ask("GET", "/version")), "model"), "cria");
  EXPECT_THAT(served().ask("GET", "/metrics").body, HasSubstr("\nherd_requests_running 0\n"));
  EXPECT_EQ(text_at(parsed(served().ask("GET", "/v1/models")), "data.0.id"), "cria");
  EXPECT_EQ(text_at(parsed(served().ask("GET", "/v1/models/cria")), "object"), "model");
  EXPECT_EQ(served().ask("GET", "/v1/models/org%2Fother").status, 404);
  RawClient head(served().port());
  head.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(head.read_until("\r\n\r\n"), testing::EndsWith("content-length: 15\r\n\r\n"));
  EXPECT_EQ(served().ask("PUT", "/health").status, 405);
  EXPECT_EQ(served().ask("GET", "/nothing").status, 404);
  EXPECT_EQ(served().ask("POST", "/v1/embeddings", "{}").status, 404);
  const json::value ids = parsed(served().post("/tokenize", {{"content", "Hello world"}}));
  const json::value text = parsed(served().post("/detokenize", {{"tokens", at(ids, "tokens")}}));
  EXPECT_EQ(text_at(text, "content"), "Hello world");
  const json::array hello{json::object{{"role", "user"}, {"content", "Hi"}}};
  const json::value prompt = parsed(served().post("/render", {{"messages", hello}}));
  EXPECT_THAT(text_at(prompt, "prompt"), HasSubstr("user<|header_end|>\n\nHi<|eot|>"));
  EXPECT_EQ(at(prompt, "tokens"),
            at(parsed(served().post("/tokenize", {{"messages", hello}})), "tokens"));
}

TEST(Routes, D11ThePageBringsItsOwnRules) {
  for (const char* path : {"/", "/web/app.js", "/web/style.css", "/web/icon.svg"}) {
    const Received got = served().ask("GET", path);
    EXPECT_EQ(got.status, 200) << path;
    EXPECT_THAT(got.header("content-security-policy"), HasSubstr("default-src 'none'"));
    EXPECT_EQ(got.header("x-content-type-options"), "nosniff");
    EXPECT_THAT(got.body, testing::Not(HasSubstr("https://"))) << path;
  }
  EXPECT_EQ(served().ask("GET", "/web/../keys.json").status, 404);
}

// D7: a loopback server answers to its own names alone, and to no other site's pages.
TEST(Routes, D7RefusesStrangeHostsAndSites) {
  const auto status = [](std::string_view method, std::string_view headers) {
    RawClient client(served().port());
    client.send(fmt::format("{} /v1/models HTTP/1.1\r\n{}\r\n\r\n", method, headers));
    return client.receive().status;
  };
  EXPECT_EQ(status("GET", "Host: localhost:8080"), 200);
  EXPECT_EQ(status("GET", "Host: 127.0.0.1"), 200);
  EXPECT_EQ(status("GET", "Host: [::1]:80"), 200);
  EXPECT_EQ(status("GET", "Host: evil.example"), 421);
  EXPECT_EQ(status("GET", "Host: localhost.evil.example"), 421);
  EXPECT_EQ(status("GET", "Host: localhost\r\nOrigin: http://evil.example"), 403);
  EXPECT_EQ(status("GET", "Host: localhost\r\nOrigin: http://localhost"), 200);
  EXPECT_EQ(status("POST", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 0"),
            403);
}

// A36, D4, D5: every route with no key, a wrong one, one without the scope, and the right one.
TEST(Routes, A36D5EveryRouteWantsItsKey) {
  std::string name = (fs::temp_directory_path() / "herd_routes_XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const auto keys = std::move(Keys::open(fs::path(name) / "keys.json").value());
  const std::string infer = keys->add("infer", {"infer"}, 0).value();
  const std::string admin = keys->add("admin", {"admin"}, 0).value();
  const std::string expired = keys->add("expired", {"infer"}, 1).value();
  {
    const Served own({.context = 2048}, keys.get());
    const auto status = [&](const Route& route, const std::string& key) {
      return own
          .ask(route.method,
               std::string(route.path) +
                   (route.path.size() > 1 && route.path.ends_with('/') ? "x" : ""),
               "{}", key.empty() ? "" : "Authorization: Bearer " + key)
          .status;
    };
    std::string wrong = infer;
    wrong.back() = wrong.back() == '0' ? '1' : '0';
    std::size_t guarded = 0;
    for (const Route& route : routes()) {
      const bool open = route.scope == Scope::none;
      guarded += open ? 0 : 1;
      EXPECT_EQ(status(route, "") == 401, !open) << route.path;
      EXPECT_EQ(status(route, infer) == 403, route.scope == Scope::admin) << route.path;
      EXPECT_NE(status(route, admin), 401) << route.path;
      EXPECT_NE(status(route, admin), 403) << route.path;
    }
    EXPECT_EQ(routes().size() - guarded, 5u) << "what is open to everybody is listed here: "
                                                "health, ready, version and the page";
    EXPECT_EQ(status(routes()[2], wrong), 401);
    EXPECT_EQ(
        text_at(parsed(own.ask("GET", "/v1/models", "", "x-api-key: " + expired)), "error.code"),
        "expired_api_key");
    EXPECT_EQ(own.ask("GET", "/v1/models", "", "x-api-key: " + infer).status, 200);
    EXPECT_EQ(own.ask("GET", "/nothing").status, 401) << "strangers learn nothing";
    // A running answer ends when its key does.
    RawClient client(own.port());
    client.send(own.request(
        "POST", "/v1/chat/completions",
        json::serialize(chat({{"max_tokens", 1900}, {"ignore_eos", true}, {"stream", true}})),
        "Authorization: Bearer " + infer));
    client.read_until("content\":\"");
    ASSERT_TRUE(keys->revoke(infer.substr(3, 8)).has_value());
    own.service().end_revoked();
    EXPECT_THAT(client.receive().body, HasSubstr("has been revoked"));
    // Guessing becomes slow, a right key still enters.
    int last = 0;
    for (int i = 0; i < 30; ++i) last = status(routes()[2], wrong);
    EXPECT_EQ(last, 429);
    EXPECT_EQ(own.ask("GET", "/v1/models", "", "x-api-key: " + admin).status, 200);
  }
  fs::remove_all(name);
}

// A24: by what the head announces, and per route.
TEST(Routes, A24BoundsBodiesByRoute) {
  const auto announced = [](std::string_view path, std::uint64_t bytes) {
    RawClient client(served().port());
    client.send(
        fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                    "application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
                    path, bytes));
    return client.read_until("\r\n\r\n").substr(9, 3);
  };
  EXPECT_EQ(announced("/tokenize", limits::http_body_bytes_max), "100");
  EXPECT_EQ(announced("/tokenize", limits::http_body_bytes_max + 1), "413");
  EXPECT_EQ(announced("/v1/chat/completions", limits::http_media_body_bytes_max), "100");
  EXPECT_EQ(announced("/v1/chat/completions", limits::http_media_body_bytes_max + 1), "413");
}

TEST(Completions, E1BoundsPromptsAndPicksTheBest) {
  const auto ask = [](json::object more) {
    json::object body{{"model", "cria"}, {"prompt", "Once"}, {"max_tokens", 1}};
    for (auto& member : more) body[member.key()] = std::move(member.value());
    return served().post("/v1/completions", body);
  };
  json::array prompts;
  for (std::uint64_t i = 0; i < limits::prompts_max; ++i) prompts.push_back("a");
  EXPECT_EQ(ask({{"prompt", prompts}}).status, 200);
  prompts.push_back("a");
  EXPECT_EQ(ask({{"prompt", prompts}}).status, 400);
  const json::value best = parsed(ask({{"best_of", 3}, {"n", 1}, {"max_tokens", 4}}));
  EXPECT_EQ(list_at(best, "choices").size(), 1u);
  EXPECT_EQ(text_at(best, "usage.completion_tokens"), "12");
  EXPECT_EQ(ask({{"best_of", 1}, {"n", 2}}).status, 400);
  EXPECT_EQ(ask({{"suffix", "x"}}).status, 400);
  EXPECT_EQ(ask({{"prompt", json::array{1, -1}}}).status, 400);
}

// A1 to A4: the order of the events, and stop_sequences at their limit.
TEST(Messages, A1A2A3A4KeepTheOrderOfEvents) {
  json::object body{
      {"model", "cria"},
      {"max_tokens", 8},
      {"temperature", 0},
      {"messages", json::array{json::object{{"role", "user"}, {"content", "Hello"}}}}};
  json::array stops;
  for (std::uint64_t i = 0; i < limits::stop_strings_max; ++i) stops.push_back("never seen");
  body["stop_sequences"] = stops;
  const json::value whole = parsed(served().post("/v1/messages", body));
  body["stream"] = true;
  const Received got = served().post("/v1/messages", body);
  EXPECT_EQ(got.header("request-id"), got.header("x-request-id"));
  std::string order, text;
  for (const StreamEvent& event : events_of(got.body)) {
    const json::value data = event.value();
    EXPECT_EQ(event.name, text_at(data, "type"));
    if (event.name == "content_block_delta") text += text_at(data, "delta.text");
    if (event.name == "message_start") {
      EXPECT_TRUE(at(data, "message.stop_reason").is_null());
    }
    if (!order.ends_with(event.name + " ")) order += event.name + " ";
  }
  EXPECT_EQ(order,
            "message_start content_block_start content_block_delta content_block_stop "
            "message_delta message_stop ");
  EXPECT_EQ(text, text_at(whole, "content.0.text"));
  stops.push_back("one more");
  body["stop_sequences"] = stops;
  const json::value error = parsed(served().post("/v1/messages", body));
  EXPECT_EQ(text_at(error, "type"), "error");
  EXPECT_EQ(text_at(error, "error.type"), "invalid_request_error");
}

// An exchange that keeps what is said to it.
class Kept final : public Exchange {
 public:
  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  void post(std::function<void()> work) override { work(); }
  void respond(HttpResponse response) override { said += response.body; }
  void begin_stream(HttpResponse, std::string) override {}
  void write(std::string_view bytes) override { said += bytes; }
  void end_stream() override {}
  void on_gone(std::function<void()>) override {}
  [[nodiscard]] bool answered() const override { return false; }

  std::string said;

 private:
  HttpRequest request_;
};

// S7, R2, R3, parallel_tool_calls: id, type and name once, the indices without gaps, arguments that parse.
TEST(ChatSinks, S7R2R3CallsAreStreamedAsClientsJoinThem) {
  for (const bool one : {false, true}) {
    const auto exchange = std::make_shared<Kept>();  // shared with the sink
    ChatShape shape;
    shape.stream = true;
    shape.tools = {"f", "g"};
    shape.one_call = one;
    auto sink = make_chat_sink(served().service(), exchange, shape);
    std::size_t stopped = 0;
    sink->stop = [&](std::size_t) { ++stopped; };
    sink->begin();
    for (const char* piece : {"{\"na", "me\": \"f\", \"parameters\": {\"a\"", ": [1]}}",
                              "{\"name\": ", "\"g\", \"parameters\": {}}"})
      sink->token(0, {.token = 1, .text = piece, .logprob = 0, .top = {}});
    sink->finished(0, {});
    sink->all_finished();
    std::vector<std::string> ids, names, arguments;
    std::string finish;
    for (const StreamEvent& event : events_of(exchange->said)) {
      if (event.data == "[DONE]") continue;
      const json::value chunk = event.value();
      if (const json::value reason = at(chunk, "choices.0.finish_reason"); reason.is_string())
        finish = text_of(reason);
      const json::array calls = list_at(chunk, "choices.0.delta.tool_calls");
      for (const json::value& call : calls) {
        const auto index = at(call, "index").to_number<std::size_t>();
        ASSERT_LE(index, ids.size());
        if (index == ids.size()) {
          ids.push_back(text_at(call, "id"));
          names.push_back(text_at(call, "function.name"));
          arguments.emplace_back();
          EXPECT_EQ(text_at(call, "type"), "function");
        } else {
          EXPECT_FALSE(call.get_object().contains("id"));
          EXPECT_FALSE(at(call, "function").get_object().contains("name"));
        }
        arguments[index] += text_at(call, "function.arguments");
      }
    }
    EXPECT_EQ(finish, "tool_calls");
    EXPECT_EQ(stopped, one ? 1u : 0u);
    EXPECT_EQ(names, one ? std::vector<std::string>{"f"} : (std::vector<std::string>{"f", "g"}));
    EXPECT_EQ(arguments[0], "{\"a\":[1]}");
    if (!one) {
      EXPECT_EQ(arguments[1], "{}");
      EXPECT_NE(ids[0], ids[1]);
    }
  }
}

// G8: requests with bytes changed at random. Each gets an answer or a closed connection, none an error of the server's;
// before and after, the same question has the same answer, and nothing is left over.
void storm(std::uint64_t requests, std::uint64_t seed) {
  const Served own;
  const json::object golden = chat({{"seed", 1}, {"temperature", 1}});
  const auto content = [&] {
    return text_at(parsed(own.post("/v1/chat/completions", golden)), "choices.0.message.content");
  };
  const std::string before = content();
  const std::string seeds[] = {
      own.request("POST", "/v1/chat/completions", json::serialize(chat({{"max_tokens", 1}}))),
      own.request("POST", "/v1/messages", json::serialize(chat({{"max_tokens", 1}}))),
      own.request(
          "POST", "/v1/completions",
          R"({"model":"cria","prompt":["a",[1,2]],"max_tokens":1,"logprobs":1,"echo":true})"),
      own.request("POST", "/tokenize", R"({"content":"héllo","with_pieces":true})"),
      own.request("GET", "/v1/models/cria", ""),
  };
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(uniform(seed, draw++) * static_cast<double>(n));
  };
  std::map<int, std::uint64_t> statuses;
  for (std::uint64_t i = 0; i < requests; ++i) {
    std::string bytes = seeds[below(std::size(seeds))];
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
      const std::size_t where = below(bytes.size());
      switch (below(4)) {
        case 0:
          bytes[where] = static_cast<char>(below(256));
          break;
        case 1:
          bytes.erase(where, 1 + below(8));
          break;
        case 2:
          bytes.insert(where, bytes.substr(below(bytes.size()), 1 + below(32)));
          break;
        default:
          bytes.insert(where, 1 + below(4), "{}[]\",:\r\n\\0-9e"[below(14)]);
      }
    }
    RawClient client(own.port());
    ASSERT_TRUE(client.connected()) << "after " << i;
    client.send(bytes);
    client.half_close();
    const Received got = client.receive();
    ++statuses[got.status];
    EXPECT_LT(got.status, 500) << bytes;
    if (got.status >= 400) {
      EXPECT_THAT(got.body, HasSubstr("\"message\":")) << bytes;
    }
  }
  EXPECT_GT(statuses[400], requests / 10);
  EXPECT_EQ(content(), before);
  for (int i = 0; i < 300 && own.http().state().connections > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(own.http().state().connections, 0u);
  EXPECT_EQ(own.engine().state().running, 0);
  EXPECT_EQ(own.http().state().body_bytes, 0u);
}

TEST(Storm, MalformedRequestsLeaveNothingBehind) { storm(3000, 1); }

class SlowStorm : public testing::TestWithParam<std::uint64_t> {};
TEST_P(SlowStorm, MalformedRequestsLeaveNothingBehind) { storm(GetParam(), 2); }
INSTANTIATE_TEST_SUITE_P(Slow, SlowStorm, testing::Values(100'000));

// F1, G13: streams that are left at any moment leave no page, no answer and no connection.
TEST(Storm, DisconnectsLeaveNothingBehind) {
  const Served own({.context = 2048, .queue = 64});
  const std::string asked = own.request(
      "POST", "/v1/chat/completions",
      json::serialize(chat({{"max_tokens", 1900}, {"ignore_eos", true}, {"stream", true}})));
  const auto free_before = own.engine().state().pages_free + own.engine().state().pages_cached;
  std::uint64_t draw = 0;
  for (int round = 0; round < 15; ++round) {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(std::make_unique<RawClient>(own.port()));
      clients.back()->send(asked);
    }
    std::this_thread::sleep_for(
        std::chrono::milliseconds(static_cast<int>(uniform(3, draw++) * 40)));
    for (auto& client : clients) uniform(3, draw++) < 0.5 ? client->reset() : client->close();
  }
  for (int i = 0; i < 1000 && (own.http().state().connections > 0 ||
                               own.engine().state().running + own.engine().state().waiting > 0);
       ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const engine::EngineState state = own.engine().state();
  EXPECT_EQ(own.http().state().connections, 0u);
  EXPECT_EQ(own.http().state().active, 0u);
  EXPECT_EQ(state.running + state.waiting, 0);
  EXPECT_EQ(state.pages_free + state.pages_cached, free_before);
  EXPECT_EQ(own.post("/v1/chat/completions", chat()).status, 200);
}

}  // namespace
}  // namespace herd::server
