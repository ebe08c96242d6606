// /v1/chat/completions over real sockets; the ids in the names and comments are the rules of spec/api.md and
// spec/reliability.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.h"
#include "server/testing/served.h"

namespace herd::server {
namespace {

using testing::HasSubstr;

constexpr std::string_view path = "/v1/chat/completions";

const Served& served() {
  static const Served one;
  return one;
}

TEST(ApiChat, R1R2R5AnswersInOpenAisForm) {
  // All words stay in play, or a model that is sure of its answer gives it twice.
  const Received got =
      served().post(path, chat({{"n", 2}, {"seed", 7}, {"temperature", 2}, {"top_p", 1}}));
  ASSERT_EQ(got.status, 200) << got.body;
  const json::value body = parsed(got);
  EXPECT_TRUE(text_at(body, "id").starts_with("chatcmpl-"));
  EXPECT_EQ(text_at(body, "object"), "chat.completion");
  EXPECT_EQ(text_at(body, "model"), "cria");
  EXPECT_EQ(text_at(body, "system_fingerprint"), "fp_test");
  for (const std::string i : {"0", "1"}) {
    EXPECT_EQ(text_at(body, "choices." + i + ".index"), i);
    EXPECT_EQ(text_at(body, "choices." + i + ".message.role"), "assistant");
    EXPECT_TRUE(at(body, "choices." + i + ".message").get_object().contains("refusal"));
    EXPECT_TRUE(at(body, "choices." + i).get_object().at("logprobs").is_null());
    EXPECT_FALSE(text_at(body, "choices." + i + ".message.content").empty());
  }
  EXPECT_NE(text_at(body, "choices.0.message.content"), text_at(body, "choices.1.message.content"));
  const auto number = [&](std::string_view where) { return at(body, where).to_number<int>(); };
  EXPECT_EQ(number("usage.total_tokens"),
            number("usage.prompt_tokens") + number("usage.completion_tokens"));
  EXPECT_LE(number("usage.completion_tokens"), 24);
  const json::value alone = parsed(served().post(path, chat({{"seed", 7}, {"temperature", 2}})));
  EXPECT_EQ(number("usage.prompt_tokens"), at(alone, "usage.prompt_tokens").to_number<int>());
  EXPECT_GT(number("usage.completion_tokens"), 1);
  EXPECT_THAT(got.header("x-request-id"), testing::StartsWith("req_"));
  EXPECT_EQ(got.header("content-type"), "application/json");
  EXPECT_THAT(got.header("x-herd-reused"), HasSubstr("prompt tokens"));
}

TEST(ApiChat, TheSameSeedGivesTheSameAnswer) {
  const json::object body = chat({{"seed", -3}, {"temperature", 2}, {"top_p", 1}, {"n", 2}});
  const json::value one = parsed(served().post(path, body));
  const json::value two = parsed(served().post(path, body));
  EXPECT_EQ(text_at(one, "choices.0.message.content"), text_at(two, "choices.0.message.content"));
  EXPECT_EQ(text_at(one, "choices.1.message.content"), text_at(two, "choices.1.message.content"));
  const json::value other =
      parsed(served().post(path, chat({{"seed", 4}, {"temperature", 2}, {"top_p", 1}, {"n", 2}})));
  EXPECT_NE(text_at(one, "choices.0.message.content"), text_at(other, "choices.0.message.content"));
}

// S1 to S5, S10, S11, T7: and the pieces together are the whole answer.
TEST(ApiChat, S1S2S3S4S5S10S11StreamsWhatItWouldSayAtOnce) {
  const json::object asked =
      chat({{"n", 2}, {"seed", 5}, {"temperature", 1}, {"logprobs", true}, {"top_logprobs", 2}});
  const json::value whole = parsed(served().post(path, asked));
  json::object streamed = asked;
  streamed["stream"] = true;
  streamed["stream_options"] = {{"include_usage", true}};
  const Received got = served().post(path, streamed);
  ASSERT_EQ(got.status, 200) << got.body;
  EXPECT_EQ(got.header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_EQ(got.header("cache-control"), "no-cache");
  const auto events = events_of(got.body);
  ASSERT_GE(events.size(), 6u);
  EXPECT_EQ(events.back().data, "[DONE]");
  std::string content[2];
  std::size_t tokens[2] = {0, 0};
  bool finished[2] = {false, false};
  for (std::size_t i = 0; i + 2 < events.size(); ++i) {
    const json::value chunk = events[i].value();
    EXPECT_EQ(text_at(chunk, "object"), "chat.completion.chunk");
    EXPECT_EQ(text_at(chunk, "id"), text_at(events[0].value(), "id"));
    EXPECT_TRUE(chunk.get_object().at("usage").is_null());
    const auto index = at(chunk, "choices.0.index").to_number<std::size_t>();
    ASSERT_LT(index, 2u);
    EXPECT_FALSE(finished[index]) << "a chunk behind the last one of its choice";
    const json::value delta = at(chunk, "choices.0.delta");
    EXPECT_EQ(delta.get_object().contains("role"), i < 2) << events[i].data;
    if (i < 2) {
      EXPECT_EQ(index, i);
    }
    if (delta.get_object().contains("content")) content[index] += text_at(delta, "content");
    if (const json::value list = at(chunk, "choices.0.logprobs.content"); list.is_array())
      tokens[index] += list.get_array().size();
    finished[index] = !at(chunk, "choices.0.finish_reason").is_null();
    if (finished[index]) {
      EXPECT_TRUE(delta.get_object().empty());
    }
  }
  const json::value last = events[events.size() - 2].value();
  EXPECT_TRUE(list_at(last, "choices").empty());
  EXPECT_EQ(at(last, "usage.completion_tokens"), at(whole, "usage.completion_tokens"));
  for (const std::size_t i : {0u, 1u}) {
    EXPECT_TRUE(finished[i]);
    EXPECT_EQ(content[i], text_at(whole, fmt::format("choices.{}.message.content", i)));
    EXPECT_EQ(tokens[i], list_at(whole, fmt::format("choices.{}.logprobs.content", i)).size());
  }
  // S5: without include_usage no chunk speaks of usage.
  streamed.erase("stream_options");
  EXPECT_THAT(served().post(path, streamed).body, testing::Not(HasSubstr("usage")));
}

TEST(ApiChat, R4ListsLogprobs) {
  const json::value body =
      parsed(served().post(path, chat({{"logprobs", true}, {"top_logprobs", 3}})));
  const json::array list = list_at(body, "choices.0.logprobs.content");
  std::string bytes;
  ASSERT_FALSE(list.empty());
  for (const json::value& token : list) {
    EXPECT_EQ(list_at(token, "top_logprobs").size(), 3u);
    // Drawn at temperature 0: the likeliest.
    EXPECT_EQ(at(token, "logprob"), at(token, "top_logprobs.0.logprob"));
    EXPECT_LE(at(token, "logprob").get_double(), 0);
    const json::array octets = list_at(token, "bytes");
    for (const json::value& byte : octets) bytes += static_cast<char>(byte.to_number<int>());
  }
  EXPECT_EQ(bytes, text_at(body, "choices.0.message.content"));
}

TEST(ApiChat, HonoursWhatDecidesOverTokens) {
  const json::value plain = parsed(served().post(path, chat({{"logprobs", true}})));
  const std::string content = text_at(plain, "choices.0.message.content");
  ASSERT_GT(content.size(), 4u);
  // stop: not part of the answer.
  const json::value stopped = parsed(served().post(path, chat({{"stop", content.substr(3, 2)}})));
  EXPECT_EQ(text_at(stopped, "choices.0.message.content"),
            content.substr(0, content.find(content.substr(3, 2))));
  EXPECT_EQ(text_at(stopped, "choices.0.finish_reason"), "stop");
  // max_completion_tokens wins over max_tokens.
  const json::value shorter = parsed(served().post(path, chat({{"max_completion_tokens", 1}})));
  EXPECT_EQ(text_at(shorter, "usage.completion_tokens"), "1");
  EXPECT_EQ(text_at(shorter, "choices.0.finish_reason"), "length");
  // logit_bias: 100 leaves no rival.
  const json::value tokens = parsed(served().post("/tokenize", {{"content", "x"}}));
  const std::string id = text_at(tokens, "tokens.0");
  const json::value biased =
      parsed(served().post(path, chat({{"logit_bias", {{id, 100}}}, {"max_tokens", 3}})));
  EXPECT_EQ(text_at(biased, "choices.0.message.content"), "xxx");
  // prediction changes nothing but how it is counted.
  const json::value predicted = parsed(
      served().post(path, chat({{"prediction", {{"type", "content"}, {"content", content}}}})));
  EXPECT_EQ(text_at(predicted, "choices.0.message.content"), content);
}

// Members that change nothing here are accepted and said so; other servers' extras are honoured.
TEST(ApiChat, NothingIsDroppedInSilence) {
  const Received got = served().post(path, chat({{"user", "u"},
                                                 {"reasoning_effort", "low"},
                                                 {"verbosity", "low"},
                                                 {"top_k", 1},
                                                 {"min_p", 0.1},
                                                 {"repetition_penalty", 1.1},
                                                 {"service_tier", "auto"},
                                                 {"metadata", {{"a", "b"}}},
                                                 {"store", false},
                                                 {"logit_bias", nullptr},
                                                 {"prompt_cache_key", "k"},
                                                 {"safety_identifier", "s"},
                                                 {"modalities", {"text"}},
                                                 {"response_format", {{"type", "text"}}},
                                                 {"parallel_tool_calls", true},
                                                 {"tool_choice", "none"},
                                                 {"frequency_penalty", 0.5},
                                                 {"presence_penalty", 0.5},
                                                 {"web_search_options", json::object()}}));
  ASSERT_EQ(got.status, 200) << got.body;
  const std::string ignored = got.header("x-herd-ignored");
  for (const char* name : {"user", "reasoning_effort", "verbosity", "metadata", "prompt_cache_key",
                           "safety_identifier", "web_search_options"})
    EXPECT_THAT(ignored, HasSubstr(name));
  EXPECT_THAT(ignored, testing::Not(HasSubstr("top_k")));
}

struct Bad {
  json::object more;
  std::string param;
  std::string code;
  int status = 400;
};

json::array user(json::value content) {
  return {json::object{{"role", "user"}, {"content", std::move(content)}}};
}

json::array picture(std::string_view url) {
  return user(
      json::array{json::object{{"type", "image_url"}, {"image_url", json::object{{"url", url}}}}});
}

// The error of a request that is refused: with all members that T3 wants.
void expect_refused(const Bad& bad) {
  const Received got = served().post(path, chat(bad.more));
  EXPECT_EQ(got.status, bad.status) << json::serialize(bad.more) << got.body;
  const json::value error = at(parsed(got), "error");
  EXPECT_EQ(text_at(error, "param"), bad.param) << got.body;
  EXPECT_EQ(text_at(error, "code"), bad.code) << got.body;
  ASSERT_TRUE(error.is_object());
  for (const char* key : {"message", "type", "param", "code"})
    EXPECT_TRUE(error.get_object().contains(key)) << got.body;
  EXPECT_FALSE(got.header("x-request-id").empty());
}

TEST(ApiChat, T3A26A27A34A35NamesWhatIsWrongWithMessages) {
  const Bad cases[] = {
      {{{"model", "gpt-5"}}, "model", "model_not_found", 404},
      {{{"messages", json::array()}}, "messages", "empty_array"},
      {{{"messages", "hi"}}, "messages", "invalid_type"},
      {{{"messages", {{{"role", "robot"}, {"content", "x"}}}}},
       "messages[0].role",
       "unsupported_value"},
      {{{"messages", {{{"content", "x"}}}}}, "messages[0].role", "missing_required_parameter"},
      {{{"messages", {{{"role", "user"}}}}}, "messages[0].content", "missing_required_parameter"},
      {{{"messages", {{{"role", "tool"}, {"content", "x"}, {"tool_call_id", "call_9"}}}}},
       "messages[0].tool_call_id",
       "invalid_value"},
      {{{"messages", {{{"role", "user"}, {"content", "x"}, {"contents", "y"}}}}},
       "messages[0].contents",
       "unknown_parameter"},
      {{{"messages", user(json::array{json::object{{"type", "input_audio"}}})}},
       "messages[0].content[0].type",
       "unsupported_value"},
      {{{"messages", picture("data:image/png;base64,!!!!")}},
       "messages[0].content[0].image_url.url",
       "invalid_base64"},
      {{{"messages", picture("data:image/png;base64,AAAA")}},
       "messages[0].content[0].image_url.url",
       "unsupported_image_format",
       422},
      {{{"messages", picture("data:image/png;base64,")}},
       "messages[0].content[0].image_url.url",
       "image_empty",
       422},
      {{{"messages", picture("http://169.254.169.254/latest")}},
       "messages[0].content[0].image_url.url",
       "url_fetch_disabled"},
      {{{"messages", picture("file:///etc/passwd")}},
       "messages[0].content[0].image_url.url",
       "invalid_image_url"},
  };
  for (const Bad& bad : cases) expect_refused(bad);
}

TEST(ApiChat, T3T9A29A30A31A32NamesWhatIsWrongWithParameters) {
  const Bad cases[] = {
      {{{"temperature", "0.7"}}, "temperature", "invalid_type"},
      {{{"temperature", -0.1}}, "temperature", "out_of_range"},
      {{{"temperature", 2.1}}, "temperature", "out_of_range"},
      {{{"top_p", 1.1}}, "top_p", "out_of_range"},
      {{{"n", 1'000'000}}, "n", "out_of_range"},
      {{{"n", limits::choices_max + 1}}, "n", "out_of_range"},
      {{{"n", 0}}, "n", "out_of_range"},
      {{{"n", 1.5}}, "n", "invalid_type"},
      {{{"max_tokens", -5}}, "max_tokens", "out_of_range"},
      {{{"max_tokens", 1e300}}, "max_tokens", "out_of_range"},
      {{{"min_tokens", 13}}, "min_tokens", "out_of_range"},
      {{{"logprobs", true}, {"top_logprobs", limits::top_logprobs_max + 1}},
       "top_logprobs",
       "out_of_range"},
      {{{"top_logprobs", 2}}, "top_logprobs", "invalid_value"},
      {{{"stop", json::array{"a", "b", "c", "d", "e"}}}, "stop", "array_above_max_length"},
      {{{"stop", ""}}, "stop", "out_of_range"},
      {{{"stop", json::array{"a", std::string(limits::stop_bytes_max + 1, 'x')}}},
       "stop[1]",
       "out_of_range"},
      {{{"logit_bias", {{"x", 1}}}}, "logit_bias", "invalid_value"},
      {{{"logit_bias", {{"99999999", 1}}}}, "logit_bias", "invalid_value"},
      {{{"logit_bias", {{"1", 101}}}}, "logit_bias", "out_of_range"},
      {{{"tmperature", 1}}, "tmperature", "unknown_parameter"},
      {{{"stream_options", json::object()}}, "stream_options", "invalid_value"},
      {{{"store", true}}, "store", "unsupported_value"},
      {{{"modalities", {"text", "audio"}}}, "modalities", "unsupported_value"},
      {{{"tools", {{{"type", "custom"}}}}}, "tools[0].type", "unsupported_value"},
      {{{"tools", {{{"type", "function"}, {"function", {{"name", "a b"}}}}}}},
       "tools[0].function.name",
       "invalid_value"},
      {{{"metadata", {{"a", 1}}}}, "metadata", "invalid_value"},
      {{{"max_tokens", 2048}}, "messages", "context_length_exceeded"},
  };
  for (const Bad& bad : cases) expect_refused(bad);
  const json::value typo = parsed(served().post(path, chat({{"tmperature", 1}})));
  EXPECT_THAT(text_at(typo, "error.message"), HasSubstr("did you mean 'temperature'"));
}

// What is checked at a limit is taken at the limit itself.
TEST(ApiChat, TakesWhatIsJustWithinTheLimits) {
  json::object bias;
  for (std::uint64_t i = 0; i < limits::logit_bias_max; ++i) bias[std::to_string(i)] = 1;
  json::array tools;
  for (std::uint64_t i = 0; i < limits::tools_max; ++i)
    tools.push_back({{"type", "function"}, {"function", {{"name", fmt::format("f{}", i)}}}});
  const json::object cases[] = {
      {{"n", limits::choices_max}, {"max_tokens", 1}},
      {{"stop", json::array{std::string(limits::stop_bytes_max, 'x')}}, {"max_tokens", 1}},
      {{"logprobs", true}, {"top_logprobs", limits::top_logprobs_max}, {"max_tokens", 1}},
      {{"logit_bias", bias}, {"max_tokens", 1}},
  };
  for (const json::object& each : cases) {
    const Received got = served().post(path, chat(each));
    EXPECT_EQ(got.status, 200) << json::serialize(each).substr(0, 200) << got.body;
  }
  bias[std::to_string(limits::logit_bias_max)] = 1;
  EXPECT_EQ(served().post(path, chat({{"logit_bias", bias}})).status, 400);
  const auto tools_answer = [&] {
    return served()
        .post(path, chat({{"tools", tools}, {"max_tokens", 1}, {"tool_choice", "none"}}))
        .status;
  };
  EXPECT_EQ(tools_answer(), 200);
  tools.push_back(tools[0]);
  EXPECT_EQ(tools_answer(), 400);
  json::array messages;
  for (std::uint64_t i = 0; i <= limits::messages_max; ++i)
    messages.push_back({{"role", "user"}, {"content", "x"}});
  EXPECT_THAT(served().post(path, chat({{"messages", messages}})).body,
              HasSubstr("array_above_max_length"));
  messages.pop_back();
  EXPECT_THAT(served().post(path, chat({{"messages", messages}})).body,
              HasSubstr("context_length_exceeded"));
}

// A21, A22, A23, A25, A28.
TEST(ApiChat, A21A22A23A25A28RefusesBodiesThatAreNone) {
  const auto code_of = [](const Received& got) {
    return fmt::format("{} {}", got.status, text_at(parsed(got), "error.code"));
  };
  EXPECT_EQ(code_of(served().ask("POST", path, "{\"model\": ")), "400 invalid_json");
  EXPECT_EQ(code_of(served().ask("POST", path, "[]")), "400 invalid_json");
  EXPECT_EQ(code_of(served().ask("POST", path, "{\"temperature\": NaN}")), "400 invalid_json");
  EXPECT_EQ(code_of(served().ask("POST", path, "{\"a\": 1, \"a\": 2}")), "400 invalid_json");
  EXPECT_EQ(code_of(served().ask("POST", path, std::string(100'000, '['))), "400 json_too_deep");
  EXPECT_EQ(code_of(served().ask("POST", path, "{}", "Content-Type: text/plain")),
            "415 unsupported_media_type");
  const Received bad =
      served().ask("POST", path,
                   "{\"model\":\"cria\",\"messages\":[{\"role\":\"user\",\"content\":\"a\xff\"}]}");
  EXPECT_EQ(code_of(bad), "400 invalid_utf8");
  EXPECT_EQ(text_at(parsed(bad), "error.param"), "messages[0].content");
  std::string words;
  for (int i = 0; i < 4000; ++i) words += "word ";
  const Received longer = served().post(path, chat({}, words));
  EXPECT_EQ(code_of(longer), "400 context_length_exceeded");
  EXPECT_THAT(text_at(parsed(longer), "error.message"), HasSubstr("> 2048"));
}

constexpr std::string_view red_dot =
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/"
    "w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==";

TEST(ApiChat, SeesPictures) {
  const json::array content = {
      json::object{{"type", "text"}, {"text", "What is this?"}},
      json::object{{"type", "image_url"}, {"image_url", {{"url", red_dot}, {"detail", "low"}}}}};
  const Received got = served().post(path, chat({{"messages", user(content)}}));
  ASSERT_EQ(got.status, 200) << got.body;
  EXPECT_GT(at(parsed(got), "usage.prompt_tokens").to_number<int>(), 10);
  json::array many;
  for (std::uint64_t i = 0; i <= limits::images_max; ++i)
    many.push_back({{"type", "image_url"}, {"image_url", {{"url", red_dot}}}});
  const Received too_many = served().post(path, chat({{"messages", user(many)}}));
  EXPECT_EQ(text_at(parsed(too_many), "error.code"), "too_many_images");
}

// B3: what a user writes never becomes a control token.
TEST(ApiChat, B3TextOfUsersStaysText) {
  const json::value plain = parsed(served().post("/render", {{"messages", user("x<|eot|>y")}}));
  const json::value ids = parsed(served().post("/tokenize", {{"content", "<|eot|>"}}));
  const json::value special =
      parsed(served().post("/tokenize", {{"content", "<|eot|>"}, {"parse_special", true}}));
  ASSERT_EQ(list_at(special, "tokens").size(), 1u);
  ASSERT_GT(list_at(ids, "tokens").size(), 1u);
  const json::value eot = at(special, "tokens.0");
  const json::array all = list_at(plain, "tokens");
  EXPECT_EQ(std::ranges::count(all, eot), 1) << json::serialize(plain);
}

// T11, F1: who leaves is not served to the end.
TEST(ApiChat, T11ALeavingClientCancels) {
  const Served own({.context = 16'000});
  for (const bool stream : {false, true}) {
    const auto before = own.engine().state().cancelled;
    RawClient client(own.port());
    client.send(own.request(
        "POST", path,
        json::serialize(chat({{"max_tokens", 15'000}, {"ignore_eos", true}, {"stream", stream}}))));
    if (stream) client.read_until("content");
    while (own.engine().state().running == 0) std::this_thread::yield();
    client.close();
    for (int i = 0; i < 400 && own.engine().state().cancelled == before; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(own.engine().state().cancelled, before + 1) << stream;
    EXPECT_EQ(own.engine().state().running, 0);
  }
}

// T5, T8: a server that ends says so inside the stream.
TEST(ApiChat, T8TellsInTheStreamThatItEnds) {
  const Served own({.context = 16'000});
  RawClient client(own.port());
  client.send(own.request(
      "POST", path,
      json::serialize(chat({{"max_tokens", 15'000}, {"ignore_eos", true}, {"stream", true}}))));
  client.read_until("content\":\"");
  own.service().end_all();
  const auto events = events_of(client.receive().body);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(text_at(events.back().value(), "error.code"), "server_shutdown");
}

// A full queue answers at once, with the time to come back (T5).
TEST(ApiChat, T5AFullQueueSaysWhenToComeBack) {
  const Served own({.context = 16'000, .sequences = 1, .queue = 0});
  RawClient client(own.port());
  client.send(own.request(
      "POST", path,
      json::serialize(chat({{"max_tokens", 15'000}, {"ignore_eos", true}, {"stream", true}}))));
  client.read_until("content\":\"");
  const Received got = own.post(path, chat());
  EXPECT_EQ(got.status, 429) << got.body;
  EXPECT_EQ(text_at(parsed(got), "error.code"), "queue_full");
  EXPECT_FALSE(got.header("retry-after").empty());
}

}  // namespace
}  // namespace herd::server
