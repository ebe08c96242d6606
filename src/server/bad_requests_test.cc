// The rows of spec/reliability.md's table of bad requests, one test for each, with what their messages must say. What a
// row shares with another surface or parameter is in api_chat_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/base64.h"
#include "server/testing/served.h"

namespace herd::server {
namespace {

using testing::HasSubstr;

constexpr std::string_view path = "/v1/chat/completions";

const Served& served() {
  static const Served one;
  return one;
}

struct Wanted {
  int status;
  std::string code;
  std::string param;
  std::vector<std::string> says = {};
};

void expect_error(const Received& got, const Wanted& wanted) {
  EXPECT_EQ(got.status, wanted.status) << got.body;
  const json::value error = at(parsed(got), "error");
  ASSERT_TRUE(error.is_object()) << got.body;
  EXPECT_EQ(text_at(error, "code"), wanted.code) << got.body;
  EXPECT_EQ(text_at(error, "param"), wanted.param.empty() ? "null" : wanted.param) << got.body;
  for (const std::string& words : wanted.says)
    EXPECT_THAT(text_at(error, "message"), HasSubstr(words));
  EXPECT_THAT(got.header("x-request-id"), testing::StartsWith("req_"));
}

void expect_refused(json::object more, const Wanted& wanted) {
  expect_error(served().post(path, chat(std::move(more))), wanted);
}

Received raw(std::string_view body) { return served().ask("POST", path, body); }

json::array shows(const std::string& url) {
  return {json::object{{"role", "user"},
                       {"content", json::array{json::object{{"type", "image_url"},
                                                            {"image_url", {{"url", url}}}}}}}};
}

TEST(BadRequests, A21NamesTheByteWhereJsonEnds) {
  const std::string whole = json::serialize(chat());
  for (const std::size_t cut : {std::size_t{1}, whole.size() / 2, whole.size() - 1})
    expect_error(raw(whole.substr(0, cut)),
                 {400, "invalid_json", "", {fmt::format("at byte {}", cut)}});
  expect_error(raw(""), {400, "invalid_json", ""});
}

TEST(BadRequests, A22NamesTheTextThatIsNoUtf8) {
  expect_error(
      raw("{\"model\":\"cria\",\"messages\":[{\"role\":\"user\",\"content\":\"ab\xff\"}]}"),
      {400, "invalid_utf8", "messages[0].content"});
}

TEST(BadRequests, A23BoundsTheDepth) {
  expect_error(raw(std::string(100'000, '[')), {400, "json_too_deep", "", {"64"}});
}

TEST(BadRequests, A24RefusesBodiesBeforeReadingThem) {
  RawClient client(served().port());
  client.send(
      fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  "Content-Length: {}\r\n\r\n{{",
                  path, 65u << 20));
  const Received got = client.receive();
  expect_error(got, {413, "body_too_large", "", {"67108864"}});
  EXPECT_EQ(got.header("connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST(BadRequests, A25WantsJson) {
  expect_error(served().ask("POST", path, "{}", "Content-Type: text/plain"),
               {415, "unsupported_media_type", "", {"text/plain", "application/json"}});
}

TEST(BadRequests, A26NamesTheModelsThatAreServed) {
  expect_refused({{"model", "gpt-5"}}, {404, "model_not_found", "model", {"gpt-5", "cria"}});
}

TEST(BadRequests, A27NamesTheMessage) {
  expect_refused({{"messages", json::array()}}, {400, "empty_array", "messages"});
  const json::object hello{{"role", "user"}, {"content", "x"}};
  expect_refused({{"messages", json::array{hello, {{"role", "robot"}, {"content", "x"}}}}},
                 {400, "unsupported_value", "messages[1].role", {"robot"}});
  expect_refused(
      {{"messages",
        json::array{hello, {{"role", "tool"}, {"tool_call_id", "call_1"}, {"content", "x"}}}}},
      {400, "invalid_value", "messages[1].tool_call_id", {"call_1"}});
}

TEST(BadRequests, A28SaysByHowMuchThePromptIsTooLong) {
  std::string words;
  for (int i = 0; i < 4000; ++i) words += "word ";
  expect_error(served().post(path, chat({{"max_tokens", 256}}, words)),
               {400, "context_length_exceeded", "messages", {"256", "> 2048", "shorten by "}});
}

TEST(BadRequests, A29HoldsNumbersToTheirKindAndRange) {
  const auto with = [](std::string_view number) {
    return fmt::format(
        R"({{"model":"cria","temperature":{},"messages":[{{"role":"user","content":"x"}}]}})",
        number);
  };
  for (const char* none : {"NaN", "Infinity", "-Infinity", "0x1", "01", ".5", "1e400", "-1e400"})
    expect_error(raw(with(none)), {400, "invalid_json", ""});
  expect_error(raw(with("\"0.7\"")), {400, "invalid_type", "temperature", {"a string"}});
  expect_error(raw(with("-0.1")), {400, "out_of_range", "temperature", {"0", "2"}});
  expect_error(raw(with("2.0001")), {400, "out_of_range", "temperature"});
}

TEST(BadRequests, A30BoundsCounts) {
  expect_refused({{"n", 1'000'000}}, {400, "out_of_range", "n", {"1000000", "128"}});
  expect_refused({{"max_tokens", -5}}, {400, "out_of_range", "max_tokens", {"-5"}});
  expect_refused({{"min_tokens", 13}}, {400, "out_of_range", "min_tokens", {"13", "12"}});
  expect_refused({{"logprobs", true}, {"top_logprobs", 21}},
                 {400, "out_of_range", "top_logprobs", {"20"}});
}

TEST(BadRequests, A31BoundsStops) {
  expect_refused({{"stop", json::array(17, "x")}}, {400, "array_above_max_length", "stop"});
  expect_refused({{"stop", ""}}, {400, "out_of_range", "stop"});
  expect_refused({{"stop", {"a", ""}}}, {400, "out_of_range", "stop[1]"});
}

TEST(BadRequests, A32NamesTheNearestParameter) {
  expect_refused({{"tmperature", 1}},
                 {400, "unknown_parameter", "tmperature", {"did you mean 'temperature'"}});
}

TEST(BadRequests, A34NamesWhatIsWrongWithPictures) {
  const std::string param = "messages[0].content[0].image_url.url";
  expect_refused({{"messages", shows("data:image/png;base64,!!!")}},
                 {400, "invalid_base64", param, {"offset"}});
  using namespace std::string_view_literals;
  const std::string huge =
      base64("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x9c\x40\0\0\x9c\x40\x08\x02\0\0\0\0\0\0\0"sv);
  expect_refused({{"messages", shows("data:image/png;base64," + huge)}},
                 {422, "image_too_large", param, {"40000"}});
  expect_refused({{"messages", shows("data:image/png;base64,")}}, {422, "image_empty", param});
  const std::string jpeg_2000 = base64("\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14"sv);
  expect_refused({{"messages", shows("data:image/jp2;base64," + jpeg_2000)}},
                 {422, "unsupported_image_format", param});
}

TEST(BadRequests, A35OpensNoAddresses) {
  expect_refused({{"messages", shows("http://169.254.169.254/latest/meta-data")}},
                 {400,
                  "url_fetch_disabled",
                  "messages[0].content[0].image_url.url",
                  {"data:", "--allow-media-host"}});
}

// Nobody learns whether a key was never there, is wrong or has been revoked.
TEST(BadRequests, A36TellsStrangersNothing) {
  std::string name = (fs::temp_directory_path() / "herd_a36_XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const auto keys = std::move(Keys::open(fs::path(name) / "keys.json").value());
  const std::string good = keys->add("good", {"infer"}, 0).value();
  const std::string revoked = keys->add("revoked", {"infer"}, 0).value();
  const std::string expired = keys->add("expired", {"infer"}, 1).value();
  ASSERT_TRUE(keys->revoke(revoked.substr(3, 8)).has_value());
  {
    const Served own({.context = 2048}, keys.get());
    const auto ask = [&](const std::string& headers) {
      return own.ask("GET", "/v1/models", "", headers);
    };
    const auto without_id = [](const Received& got) {
      return fmt::format("{} {}", got.status, got.body);
    };
    const std::string none = without_id(ask(""));
    expect_error(ask(""), {401, "invalid_api_key", ""});
    std::string wrong = good;
    wrong.back() = wrong.back() == '0' ? '1' : '0';
    for (const std::string& key : {wrong, revoked, std::string("hk_x"), std::string(5000, 'k')})
      EXPECT_EQ(without_id(ask("Authorization: Bearer " + key)), none);
    expect_error(ask("Authorization: Bearer " + expired), {401, "expired_api_key", ""});
    expect_error(
        ask(fmt::format("Authorization: Bearer {}\r\nAuthorization: Bearer {}", good, wrong)),
        {400, "duplicate_header", "", {"authorization"}});
    EXPECT_EQ(ask("Authorization: Bearer " + good).status, 200);
  }
  fs::remove_all(name);
}

}  // namespace
}  // namespace herd::server
