#include "grammar/tool_calls.h"

#include <gtest/gtest.h>

#include "grammar/grammar_for_test.h"

namespace herd::grammar {
namespace {

using testing::matches;
using testing::take;

json::value schema(const char* text) { return parse_json(text).value(); }

std::vector<Tool> weather_and_time() {
  return {{.name = "weather",
           .schema = schema(R"({"type":"object","properties":{"city":{"type":"string"},
               "days":{"type":"integer","minimum":1,"maximum":9}},"required":["city","days"],
               "additionalProperties":false})"),
           .strict = true,
           .place = "tools[0]"},
          {.name = "time",
           .schema = schema(R"({"type":"object","properties":{},"additionalProperties":false})"),
           .strict = true,
           .place = "tools[1]"}};
}

TEST(ToolCalls, WhoMustCallWritesCallsAndNothingElse) {
  const auto one =
      take(compile_tool_calls({.tools = weather_and_time(), .must = true, .several = false}));
  EXPECT_TRUE(matches(one, R"({"name": "weather", "parameters": {"city": "Ulm", "days": 3}})"));
  EXPECT_TRUE(matches(one, R"({"name": "time", "parameters": {}})"));
  for (const char* wrong :
       {"", "Hello", R"({"name": "weather", "parameters": {"city": "Ulm", "days": 10}})",
        R"({"name": "weather", "parameters": {}})", R"({"name": "rain", "parameters": {}})",
        R"({"name": "time", "parameters": {}}{"name": "time", "parameters": {}})",
        "{\"name\": \"time\", \"parameters\": {}}\n{\"name\": \"time\", \"parameters\": {}}"})
    EXPECT_FALSE(matches(one, wrong)) << wrong;
  const auto several = take(compile_tool_calls({.tools = weather_and_time(), .must = true}));
  EXPECT_TRUE(matches(
      several,
      "{\"name\": \"time\", \"parameters\": {}}\n{\"name\": \"time\", \"parameters\": {}}"));
}

TEST(ToolCalls, FreeTextIsFreeUntilACallBegins) {
  const auto calls = take(compile_tool_calls({.tools = weather_and_time()}));
  for (const char* text :
       {"", "Hello!", "It is {\"name\": \"weather\"} here.", "{\"a\": 1}", "{\"name\": \"Bob\"}",
        "[1, 2]", "[weathers(1)]", "weather.call", "<function=other>x", "a\n{\"b\":2}\nc",
        "{\"name\": \"weath", "{ \"na", "Schöne Grüße", "{\"name\": \"weatherman\", \"x\": 1}"})
    EXPECT_TRUE(matches(calls, text)) << text;
  for (const char* call :
       {R"({"name": "weather", "parameters": {"city": "Ulm", "days": 3}})",
        R"({"type":"function","name":"weather","arguments":{"city":"Ulm","days":3}})",
        R"({"type": "function", "function": {"name": "time", "arguments": {}}})",
        R"([{"name": "time", "parameters": {}}, {"name": "time", "parameters": {}}])",
        R"([weather(city="Ulm", days=3), time()])", R"(<function=time>{}</function>)",
        R"(weather.call(city="Ulm", days=3))"}) {
    EXPECT_TRUE(matches(calls, call)) << call;
    EXPECT_TRUE(matches(calls, std::string("First:\n ") + call)) << call;
    EXPECT_TRUE(matches(calls, std::string(call) + ", " + call + "\nDone.")) << call;
  }
  for (const char* wrong :
       {R"({"name": "weather", "parameters": {"city": "Ulm"}})",
        R"({"name": "weather", "parameters": {"city": "Ulm", "days": 30}})",
        "Yes:\n  {\"name\":\"weather\",\"parameters\":{\"days\":3}}", R"({"name": "weather"})",
        R"([weather(city="Ulm")])", R"([weather(1)])", R"(<function=weather>{}</function>)",
        R"(weather.call(city=3, days=3))", R"({"parameters": {}, "name": "weather"})",
        R"({"name": "time", "parameters": {}}, [weather()])",
        R"({"name": "time", "parameters": {}};;{"name": "weather", "parameters": {}})", "\xC3\x28"})
    EXPECT_FALSE(matches(calls, wrong)) << wrong;
}

TEST(ToolCalls, OneCallIsTheEndWhereOnlyOneMayBe) {
  const auto one = take(compile_tool_calls({.tools = weather_and_time(), .several = false}));
  const std::string call = R"({"name": "time", "parameters": {}})";
  EXPECT_TRUE(matches(one, "Now:\n" + call));
  EXPECT_TRUE(matches(one, "[time()]"));
  EXPECT_TRUE(matches(one, "No call at all."));
  EXPECT_FALSE(matches(one, call + call));
  EXPECT_FALSE(matches(one, "[time(), time()]"));
}

TEST(ToolCalls, AnAnswerIsACallOrADocument) {
  const auto either =
      take(compile_tool_calls({.tools = weather_and_time(),
                               .document = schema(R"({"type":"array","items":{"type":"null"}})"),
                               .document_strict = true,
                               .document_place = "form"}));
  EXPECT_TRUE(matches(either, "[null,null]"));
  EXPECT_TRUE(matches(either, R"({"name": "time", "parameters": {}})"));
  EXPECT_FALSE(matches(either, "Hello"));
  EXPECT_FALSE(matches(either, "[1]"));
}

TEST(ToolCalls, NamesTheToolWhoseSchemaIsWrong) {
  auto tools = weather_and_time();
  tools[1].schema = schema(R"({"type":"object","properties":{"a":{"type":"nix"}}})");
  const auto refused = compile_tool_calls({.tools = tools, .must = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_schema);
  EXPECT_TRUE(refused.error().message.starts_with("tools[1]: the schema at #/properties/a"))
      << refused.error().message;
  // What is not supported is refused where strict, and left out and named where not.
  tools[1].schema = schema(R"({"type":"object","properties":{"a":{"not":{}}}})");
  EXPECT_FALSE(compile_tool_calls({.tools = tools, .must = true}));
  tools[1].strict = false;
  std::vector<std::string> ignored;
  EXPECT_TRUE(compile_tool_calls({.tools = tools, .must = true}, &ignored));
  EXPECT_EQ(ignored, std::vector<std::string>{"tools[1]#/properties/a/not"});
}

}  // namespace
}  // namespace herd::grammar
