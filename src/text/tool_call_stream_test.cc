#include "text/tool_call_stream.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "text/python_call.h"

namespace herd::text {
namespace {

// "text|name{"a":1}|text": the events in a row, neighbouring texts joined.
std::string shown_events(const std::vector<ToolCallEvent>& events) {
  std::string out;
  for (const ToolCallEvent& event : events) {
    if (event.is_call()) {
      out += "|" + event.name + json::serialize(event.arguments) + "|";
    } else {
      out += event.text;
    }
  }
  return out;
}

const std::vector<std::string> tools{"get_weather", "add", "brave_search", "get"};

std::string whole(std::string_view text) {
  ToolCallStream stream(tools);
  std::vector<ToolCallEvent> events = stream.push(text);
  for (ToolCallEvent& event : stream.finish()) events.push_back(std::move(event));
  return shown_events(events);
}

const std::pair<std::string_view, std::string_view> dialects[] = {
    {R"({"name": "add", "parameters": {"a": 1, "b": 2.5}})", R"(|add{"a":1,"b":2.5E0}|)"},
    {R"({"type": "function", "name": "add", "arguments": {"a": "x}\"{"}})",
     R"(|add{"a":"x}\"{"}|)"},
    {R"({"type": "function", "function": {"name": "add", "arguments": "{\"a\": 1}"}})",
     R"(|add{"a":1}|)"},
    // The last of one name counts; a number that is none makes it text.
    {R"({"name": "add", "parameters": {"a": 1, "b": {"c": 1, "c": 2}, "a": 3}})",
     R"(|add{"a":3,"b":{"c":2}}|)"},
    {R"({"name": "add", "parameters": {"a": 1e999, "a": 1e999}})",
     R"({"name": "add", "parameters": {"a": 1e999, "a": 1e999}})"},
    {R"({"name": "add", "parameters": {}}{"name": "get", "parameters": {"x": null}})",
     R"(|add{}||get{"x":null}|)"},
    {"{\"name\": \"add\"};\n {\"name\": \"get\"}\n", "|add{}||get{}|"},
    {R"([{"name": "add", "parameters": {"a": 1}}, {"name": "get"}])", R"(|add{"a":1}||get{}|)"},
    {R"([get_weather(city="Zürich", days=3), add(a=-1.5, b=[1, 'two', {'k': None}])])",
     R"(|get_weather{"city":"Zürich","days":3}||add{"a":-1.5E0,"b":[1,"two",{"k":null}]}|)"},
    {R"([add(c=True, d=false)])", R"(|add{"c":true,"d":false}|)"},
    {R"([add()])", "|add{}|"},
    {R"([get(s='it\'s \u00e9 \x41 \n)]')])", R"(|get{"s":"it's é A \n)]"}|)"},
    {R"(<function=add>{"a": 1}</function>)", R"(|add{"a":1}|)"},
    {R"(<function=add></function><function=get>{}</function>)", "|add{}||get{}|"},
    {R"(brave_search.call(query="who (is) it"))", R"(|brave_search{"query":"who (is) it"}|)"},
    {"Let me look.\n\n{\"name\": \"get\", \"parameters\": {}}", "Let me look.\n|get{}|"},
    {"  \n{\"name\": \"get\", \"parameters\": {}}\nDone.", "|get{}|\nDone."},
    // What is no call stays as it was said.
    {R"({"name": "unknown", "parameters": {}})", R"({"name": "unknown", "parameters": {}})"},
    {R"({"city": "Rome"})", R"({"city": "Rome"})"},
    {R"({"name": "add", "parameters": [1]})", R"({"name": "add", "parameters": [1]})"},
    {R"({"name": "add", "extra": 1})", R"({"name": "add", "extra": 1})"},
    {R"({"name": "add", "parameters": {"a": )", R"({"name": "add", "parameters": {"a": )"},
    {R"(see {"name": "add"})", R"(see {"name": "add"})"},
    {"[1, 2, 3]", "[1, 2, 3]"},
    {"[add(1)]", "[add(1)]"},
    {"[add(a=__import__('os'))]", "[add(a=__import__('os'))]"},
    {"[add(a=1, a=2)]", "[add(a=1, a=2)]"},
    {"[add(a=1e999)]", "[add(a=1e999)]"},
    {"[add(a='\\ud800')]", "[add(a='\\ud800')]"},
    {"get it", "get it"},
    {"<b>x</b>", "<b>x</b>"},
    {"<function=other>{}</function>", "<function=other>{}</function>"},
    {"a\n\n\nb  \n", "a\n\n\nb  \n"},
    {"   \n", "   \n"},
    {"", ""},
};

TEST(ToolCallStream, ReadsEveryDialectAndLeavesTextAlone) {
  for (const auto& [text, events] : dialects) EXPECT_EQ(whole(text), events) << text;
}

TEST(ToolCallStream, SaysTheSameHoweverTheTextIsCut) {
  std::uint64_t draw = 0;
  for (const auto& [text, events] : dialects) {
    for (int round = 0; round < 40; ++round) {
      ToolCallStream stream(tools);
      std::vector<ToolCallEvent> got;
      for (std::size_t at = 0; at < text.size();) {
        // The first round cuts at every byte.
        const std::size_t bytes =
            round == 0 ? 1 : 1 + static_cast<std::size_t>(uniform(7, draw++) * 12);
        for (auto& event : stream.push(text.substr(at, bytes))) got.push_back(std::move(event));
        at += bytes;
      }
      for (auto& event : stream.finish()) got.push_back(std::move(event));
      EXPECT_EQ(shown_events(got), events) << text << " in round " << round;
    }
  }
}

// S14: an answer that is no call is not kept waiting for its end.
TEST(ToolCallStream, HoldsBackNoMoreThanItMust) {
  ToolCallStream stream(tools);
  EXPECT_EQ(shown_events(stream.push("{\"na")), "");
  EXPECT_EQ(shown_events(stream.push("me\": \"unk")), "{\"name\": \"unk");
  EXPECT_EQ(shown_events(stream.push("nown\", ")), "nown\", ");
  EXPECT_EQ(shown_events(stream.push("\nget")), "\n");
  EXPECT_EQ(shown_events(stream.push(" it")), "get it");
  ToolCallStream none({});
  EXPECT_EQ(shown_events(none.push("{\"name\": \"add\"}")), "{\"name\": \"add\"}");
}

TEST(ToolCallStream, TakesTimeProportionalToTheText) {
  ToolCallStream stream(tools);
  stream.push(R"({"name": "add", "parameters": {"a": ")");
  for (int i = 0; i < 200'000; ++i) stream.push("xx");
  const auto events = stream.push("\"}}");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].arguments.at("a").get_string().size(), 400'000u);
}

TEST(PythonCall, RefusesWhatIsNestedTooDeeply) {
  const auto nested = [](std::size_t depth) {
    return "f(a=" + std::string(depth, '[') + std::string(depth, ']') + ")";
  };
  EXPECT_TRUE(parse_python_call(nested(33)).has_value());
  EXPECT_FALSE(parse_python_call(nested(34)).has_value());
  EXPECT_FALSE(parse_python_call(nested(100'000)).has_value());
}

}  // namespace
}  // namespace herd::text
