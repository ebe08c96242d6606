// Who may enter, and the small endpoints; Anthropic's surface.
#include "server/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.h"
#include "server/chat_sinks.h"
#include "server/cors.h"
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
  EXPECT_FALSE(parsed(served().ask("GET", "/version")).at("needs_key").as_bool());
  EXPECT_THAT(served().ask("GET", "/metrics").body, HasSubstr("\nherd_requests_running 0\n"));
  EXPECT_EQ(text_at(parsed(served().ask("GET", "/v1/models")), "data.0.id"), "cria");
  EXPECT_EQ(text_at(parsed(served().ask("GET", "/v1/models/cria")), "object"), "model");
  EXPECT_EQ(served().ask("GET", "/v1/models/org%2Fother").status, 404);
  RawClient head(served().port());
  head.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(head.read_until("\r\n\r\n"), testing::EndsWith("content-length: 15\r\n\r\n"));
  EXPECT_EQ(served().ask("PUT", "/health").status, 405);
  EXPECT_EQ(served().ask("GET", "/nothing").status, 404);
  EXPECT_EQ(served().ask("POST", "/v1/responses", "{}").status, 404);
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
    EXPECT_TRUE(parsed(own.ask("GET", "/version")).at("needs_key").as_bool());
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

// A37, T10: what a key may ask in a minute and at a time, over HTTP.
TEST(Routes, A37T10HoldsKeysToTheirLimits) {
  std::string name = (fs::temp_directory_path() / "herd_limits_XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const auto keys = std::move(Keys::open(fs::path(name) / "keys.json").value());
  const std::string few = keys->add("few", {"infer"}, 0, {.requests_per_minute = 3}).value();
  const std::string one = keys->add("one", {"infer"}, 0, {.concurrent = 1}).value();
  {
    const Served own({.context = 2048}, keys.get());
    const auto ask = [&](const std::string& key) {
      return own.ask("POST", "/tokenize", R"({"content":"a"})", "Authorization: Bearer " + key);
    };
    for (int left = 2; left >= 0; --left) {
      const Received got = ask(few);
      EXPECT_EQ(got.status, 200);
      EXPECT_EQ(got.header("x-ratelimit-limit-requests"), "3");
      EXPECT_EQ(got.header("x-ratelimit-remaining-requests"), std::to_string(left));
    }
    const Received refused = ask(few);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(text_at(parsed(refused), "error.code"), "rate_limit_exceeded");
    EXPECT_EQ(text_at(parsed(refused), "error.type"), "rate_limit_error");
    const int wait = std::stoi("0" + refused.header("retry-after"));
    EXPECT_GE(wait, 15);
    EXPECT_LE(wait, 20);
    EXPECT_EQ(refused.header("x-ratelimit-remaining-requests"), "0");
    EXPECT_EQ(own.ask("GET", "/v1/models", "", "Authorization: Bearer " + few).status, 200)
        << "looking is not asking";
    // One at a time: refused while a stream runs, welcome when its client is gone.
    RawClient client(own.port());
    client.send(own.request(
        "POST", "/v1/chat/completions",
        json::serialize(chat({{"max_tokens", 1900}, {"ignore_eos", true}, {"stream", true}})),
        "Authorization: Bearer " + one));
    client.read_until("content\":\"");
    EXPECT_EQ(ask(one).status, 429);
    EXPECT_THAT(ask(one).body, HasSubstr("1 at a time"));
    client.close();
    int status = 0;
    for (int i = 0; i < 500 && (status = ask(one).status) != 200; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(status, 200);
    EXPECT_EQ(Keys::open(fs::path(name) / "keys.json").value()->list()[1].limits.concurrent, 1);
  }
  fs::remove_all(name);
}

// CORS: nobody is let in unless named, and those who are learn nothing but what is theirs.
TEST(Routes, D7LetsInPagesOfNamedOriginsAlone) {
  const Served own({.context = 2048}, nullptr, {.origins = {"https://app.example"}});
  const auto ask = [&](const Served& server, std::string_view method, std::string_view headers) {
    RawClient client(server.port());
    client.send(
        fmt::format("{} /v1/models HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n", method, headers));
    return client.receive();
  };
  constexpr std::string_view preflight =
      "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
      "Access-Control-Request-Headers: authorization, x-stainless-os";
  const Received allowed = ask(own, "OPTIONS", preflight);
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.header("access-control-allow-origin"), "https://app.example");
  EXPECT_EQ(allowed.header("access-control-allow-headers"), "authorization, x-stainless-os");
  EXPECT_EQ(allowed.header("vary"), "Origin");
  EXPECT_EQ(allowed.header("access-control-allow-credentials"), "");
  const Received got = ask(own, "GET", "Origin: https://app.example\r\nSec-Fetch-Site: cross-site");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.header("access-control-allow-origin"), "https://app.example");
  for (const char* other : {"http://app.example", "https://app.example.evil",
                            "https://app.example:444", "null", "https://APP.example"}) {
    const Received refused = ask(own, "GET", fmt::format("Origin: {}", other));
    EXPECT_EQ(refused.status, 403) << other;
    EXPECT_EQ(refused.header("access-control-allow-origin"), "") << other;
  }
  EXPECT_EQ(ask(own, "OPTIONS", "Origin: https://app.example").status, 405) << "no preflight";
  EXPECT_EQ(ask(served(), "OPTIONS", preflight).status, 403) << "off unless asked for";
  for (const char* wrong :
       {"*", "app.example", "https://", "https://app.example/", "https://App.example",
        "https://app.example:443", "ftp://app.example", "null"})
    EXPECT_EQ(check_cors_origin(wrong).error().code, Code::usage) << wrong;
  for (const char* right : {"https://app.example", "http://localhost:3000", "http://[::1]:8080"})
    EXPECT_TRUE(check_cors_origin(right).has_value()) << right;
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
  // min_tokens: drawn answers may also end early.
  const json::value best =
      parsed(ask({{"best_of", 3}, {"n", 1}, {"max_tokens", 4}, {"min_tokens", 4}}));
  EXPECT_EQ(list_at(best, "choices").size(), 1u);
  EXPECT_EQ(text_at(best, "usage.completion_tokens"), "12");
  EXPECT_EQ(ask({{"best_of", 1}, {"n", 2}}).status, 400);
  EXPECT_EQ(ask({{"suffix", "x"}}).status, 400);
  EXPECT_EQ(ask({{"prompt", json::array{1, -1}}}).status, 400);
}

// E1: with echo the answer is one token longer than the prompt, also where that token ends it; lm-evaluation-harness
// takes the prompt's own probabilities to be all but the last.
TEST(Completions, E1CountTheTokenThatEndsThem) {
  const json::value end =
      parsed(served().post("/tokenize", {{"content", "<|eot|>"}, {"parse_special", true}}));
  const std::string id = json::serialize(at(end, "tokens.0"));
  json::object body{{"model", "cria"},
                    {"prompt", "Once upon a"},
                    {"max_tokens", 1},
                    {"echo", true},
                    {"logprobs", 2},
                    {"temperature", 0},
                    {"logit_bias", json::object{{id, 100}}}};
  const json::value whole = parsed(served().post("/v1/completions", body));
  EXPECT_EQ(text_at(whole, "choices.0.finish_reason"), "stop");
  EXPECT_EQ(text_at(whole, "choices.0.text"), "Once upon a");
  const json::array tokens = list_at(whole, "choices.0.logprobs.tokens");
  ASSERT_EQ(std::to_string(tokens.size() - 1), text_at(whole, "usage.prompt_tokens"));
  EXPECT_EQ(tokens.back(), "<|eot|>");
  EXPECT_EQ(list_at(whole, "choices.0.logprobs.text_offset").back(), 11);
  EXPECT_LT(list_at(whole, "choices.0.logprobs.token_logprobs").back().to_number<double>(), 0);
  const json::array tops = list_at(whole, "choices.0.logprobs.top_logprobs");
  EXPECT_EQ(tops.back().get_object().size(), 2u);

  body["stream"] = true;
  json::array streamed;
  for (const StreamEvent& event : events_of(served().post("/v1/completions", body).body))
    if (event.data != "[DONE]" && !at(event.value(), "choices.0.logprobs").is_null())
      std::ranges::copy(list_at(event.value(), "choices.0.logprobs.tokens"),
                        std::back_inserter(streamed));
  EXPECT_EQ(streamed, tokens);
}

// A1 to A4: the order of the events, and stop_sequences at their limit.
// A name goes into the grammar and the prompt as it is: no quotes in it, and no two tools of one name.
TEST(Messages, RefusesNamesThatNoToolCanHave) {
  const Served own;
  const auto answer = [&](json::array names) {
    json::array tools;
    for (const json::value& name : names)
      tools.push_back({{"name", name}, {"input_schema", {{"type", "object"}}}});
    return own.post("/v1/messages", {{"model", "cria"},
                                     {"max_tokens", 2},
                                     {"messages", {{{"role", "user"}, {"content", "Hi"}}}},
                                     {"tools", tools}});
  };
  for (const char* name : {"say \"hi\"", "", "a b", "\xc3\xa9"}) {
    const Received got = answer({name});
    EXPECT_EQ(got.status, 400) << name;
    EXPECT_THAT(got.body, testing::HasSubstr("is no name of a function")) << name;
  }
  EXPECT_THAT(answer({"look", "look"}).body, testing::HasSubstr("comes twice"));
  EXPECT_EQ(answer({"look", "look.again-2_b"}).status, 200);
}

// Answers to one request are taken together: where there is no room for all, the client may try again, whole.
TEST(Chat, T5AskingForMoreAnswersThanThereIsRoomForIsRefusedBeforeAnyBegins) {
  const Served own({.context = 2048, .sequences = 1, .queue = 1, .draft_tokens = 0});
  const auto asked = [&](int n, int tokens, bool stream) {
    return json::object{
        {"model", "cria"},    {"n", n},
        {"stream", stream},   {"max_tokens", tokens},
        {"ignore_eos", true}, {"messages", {{{"role", "user"}, {"content", "Hi"}}}}};
  };
  RawClient busy(own.port());
  busy.send(own.request("POST", "/v1/chat/completions", json::serialize(asked(1, 1900, true))));
  busy.read_until("content\":\"");
  for (const bool stream : {false, true}) {
    const Received got = own.post("/v1/chat/completions", asked(2, 3, stream));
    EXPECT_EQ(got.status, 429) << got.body;
    EXPECT_FALSE(got.header("retry-after").empty());
    // What could never be is no matter of waiting.
    EXPECT_EQ(own.post("/v1/chat/completions", asked(3, 3, stream)).status, 400);
  }
}

TEST(Detokenize, TakesWhatAPromptCanHold) {
  const Served own({.context = 64});
  json::array ids(64, 20);
  EXPECT_EQ(own.post("/detokenize", {{"tokens", ids}}).status, 200);
  ids.push_back(20);
  const Received got = own.post("/detokenize", {{"tokens", ids}});
  EXPECT_EQ(got.status, 400);
  EXPECT_THAT(got.body, testing::HasSubstr("array_above_max_length"));
}

// What cannot fit is refused before it is cut into tokens.
TEST(Chat, RefusesATextThatCannotFitByItsSizeAlone) {
  const Served own({.context = 512});
  const Received got =
      own.post("/v1/chat/completions",
               {{"model", "cria"},
                {"messages", {{{"role", "user"}, {"content", std::string(1 << 20, 'x')}}}}});
  EXPECT_EQ(got.status, 400);
  EXPECT_THAT(got.body, testing::HasSubstr("1048576 bytes of text are at least"));
  EXPECT_THAT(got.body, testing::HasSubstr("context_length_exceeded"));
}

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
  void drop_body() override {}
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

}  // namespace
}  // namespace herd::server
