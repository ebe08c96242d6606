// Answers that are held to something, over real sockets: schemas, expressions, grammars, calls of tools. The model is
// cria, whose own wishes matter little here.
#include "server/constraints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/testing/served.h"

namespace herd::server {
namespace {

using testing::HasSubstr;

constexpr std::string_view path = "/v1/chat/completions";

const Served& served() {
  static const Served one;
  return one;
}

json::object hello(json::object more) {
  json::object body{{"model", "cria"},
                    {"messages", {{{"role", "user"}, {"content", "Note: buy milk."}}}},
                    {"max_tokens", 200},
                    {"seed", 1}};
  for (auto& member : more) body[member.key()] = std::move(member.value());
  return body;
}

json::value schema(std::string_view text) { return parse_json(text).value(); }

json::value note() {
  return schema(R"({"type":"object","properties":{"text":{"type":"string","maxLength":12},
      "stars":{"enum":[1,2,3]}},"required":["text","stars"],"additionalProperties":false})");
}

void expect_note(std::string_view text) {
  const auto value = parse_json(text);
  ASSERT_TRUE(value) << text;
  ASSERT_EQ(value->get_object().size(), 2u) << text;
  EXPECT_TRUE(value->get_object().at("text").is_string()) << text;
  const auto stars = value->get_object().at("stars").to_number<int>();
  EXPECT_TRUE(stars >= 1 && stars <= 3) << text;
}

json::object form(json::value of, bool strict = true) {
  return {{"type", "json_schema"},
          {"json_schema", {{"name", "note"}, {"schema", std::move(of)}, {"strict", strict}}}};
}

json::array tools(bool strict = true) {
  return {json::object{
              {"type", "function"},
              {"function", {{"name", "add_note"}, {"parameters", note()}, {"strict", strict}}}},
          json::object{{"type", "function"}, {"function", {{"name", "list_notes"}}}}};
}

json::value answered(json::object more) {
  const Received got = served().post(path, hello(std::move(more)));
  EXPECT_EQ(got.status, 200) << got.body;
  return parsed(got);
}

std::string content(json::object more) {
  return text_at(answered(std::move(more)), "choices.0.message.content");
}

TEST(Constraints, JsonSchemaAnswersAreValidWhateverTheSampling) {
  for (const double temperature : {0.0, 1.0, 2.0}) {
    const json::value body = answered({{"response_format", form(note())},
                                       {"temperature", temperature},
                                       {"n", 3},
                                       {"logprobs", true},
                                       {"top_logprobs", 2}});
    for (const std::string i : {"0", "1", "2"}) {
      expect_note(text_at(body, "choices." + i + ".message.content"));
      EXPECT_EQ(text_at(body, "choices." + i + ".finish_reason"), "stop");
      for (const json::value& token : list_at(body, "choices." + i + ".logprobs.content"))
        EXPECT_LE(at(token, "logprob").to_number<double>(), 0.0);
    }
  }
}

TEST(Constraints, StreamsSayTheSame) {
  const json::object asked{{"response_format", form(note())}, {"temperature", 1}};
  json::object streamed = asked;
  streamed["stream"] = true;
  std::string said;
  for (const StreamEvent& event : events_of(served().post(path, hello(streamed)).body))
    if (const json::value piece =
            event.data == "[DONE]" ? json::value() : at(event.value(), "choices.0.delta.content");
        piece.is_string())
      said += text_of(piece);
  EXPECT_EQ(said, content(asked));
}

TEST(Constraints, OtherServersWordsForTheSameAreUnderstood) {
  const json::object cases[] = {{{"guided_json", note()}},
                                {{"guided_json", json::serialize(note())}},
                                {{"json_schema", note()}},
                                {{"structured_outputs", {{"json", note()}}}}};
  for (const json::object& each : cases) expect_note(content(each));
  for (const json::object& each : {json::object{{"response_format", {{"type", "json_object"}}}},
                                   json::object{{"structured_outputs", {{"json_object", true}}}}}) {
    const json::value body = answered(each);
    const std::string said = text_at(body, "choices.0.message.content");
    EXPECT_TRUE(said.starts_with('{')) << said;
    if (text_at(body, "choices.0.finish_reason") == "length") continue;
    const auto document = parse_json(said);
    EXPECT_TRUE(document && document->is_object()) << said;
  }
  for (const char* name : {"guided_regex", "regex"})
    EXPECT_EQ(content({{name, "(ab){2}c"}}), "ababc") << name;
  for (const char* name : {"guided_grammar", "grammar", "ebnf"})
    EXPECT_EQ(content({{name, "root ::= \"x\" y\ny ::= \"z\""}}), "xz") << name;
  const std::string choice = content({{"guided_choice", {"left", "right"}}});
  EXPECT_TRUE(choice == "left" || choice == "right") << choice;
  const json::value body = parsed(served().post(
      "/v1/completions", {{"model", "cria"}, {"prompt", "Say"}, {"guided_regex", "[0-9]{4}"}}));
  EXPECT_EQ(text_at(body, "choices.0.text").size(), 4u);
}

void expect_call(const json::value& body, const std::string& where) {
  EXPECT_EQ(text_at(body, where + ".type"), "function");
  const std::string name = text_at(body, where + ".function.name");
  const std::string arguments = text_at(body, where + ".function.arguments");
  if (name == "add_note")
    expect_note(arguments);
  else
    EXPECT_EQ(name + arguments, "list_notes{}");
}

TEST(Constraints, ToolChoiceDemandsCallsAndForbidsThem) {
  for (const bool strict : {true, false}) {
    const json::value required =
        answered({{"tools", tools(strict)}, {"tool_choice", "required"}, {"temperature", 1.5}});
    EXPECT_EQ(text_at(required, "choices.0.finish_reason"), "tool_calls");
    EXPECT_TRUE(at(required, "choices.0.message.content").is_null());
    const auto calls = list_at(required, "choices.0.message.tool_calls").size();
    ASSERT_GE(calls, 1u);
    for (std::size_t i = 0; i < calls; ++i)
      expect_call(required, fmt::format("choices.0.message.tool_calls.{}", i));
    const json::value named =
        answered({{"tools", tools(strict)},
                  {"tool_choice", {{"type", "function"}, {"function", {{"name", "add_note"}}}}}});
    EXPECT_EQ(text_at(named, "choices.0.message.tool_calls.0.function.name"), "add_note");
    EXPECT_EQ(list_at(named, "choices.0.message.tool_calls").size(), 1u);
  }
  // Where nothing may end the answer but the grammar, one call follows the other unless one alone is wanted.
  const json::value ends =
      parsed(served().post("/tokenize", {{"content", "<|eot|><|eom|><|end_of_text|>"},
                                         {"parse_special", true},
                                         {"add_special", false}}));
  json::object never;
  for (const json::value& end : list_at(ends, "tokens")) never[json::serialize(end)] = -100;
  EXPECT_EQ(never.size(), 3u);
  for (int seed = 0; seed < 4; ++seed)
    for (const bool parallel : {false, true}) {
      const json::value several = answered({{"tools", json::array{tools()[1]}},
                                            {"tool_choice", "required"},
                                            {"parallel_tool_calls", parallel},
                                            {"logit_bias", never},
                                            {"temperature", 2},
                                            {"seed", seed}});
      const std::size_t calls = list_at(several, "choices.0.message.tool_calls").size();
      EXPECT_EQ(calls > 1, parallel) << calls;
      EXPECT_GE(calls, 1u);
    }
  const json::value none = answered({{"tools", tools()}, {"tool_choice", "none"}});
  EXPECT_FALSE(at(none, "choices.0.message").get_object().contains("tool_calls"));
  const json::value allowed = answered(
      {{"tools", tools()},
       {"tool_choice",
        {{"type", "allowed_tools"},
         {"allowed_tools",
          {{"mode", "required"},
           {"tools", {{{"type", "function"}, {"function", {{"name", "list_notes"}}}}}}}}}}});
  EXPECT_EQ(text_at(allowed, "choices.0.message.tool_calls.0.function.name"), "list_notes");
  // Old clients' words.
  const json::value old = answered({{"functions", {{{"name", "add_note"}, {"parameters", note()}}}},
                                    {"function_call", {{"name", "add_note"}}}});
  EXPECT_EQ(text_at(old, "choices.0.finish_reason"), "function_call");
  expect_note(text_at(old, "choices.0.message.function_call.arguments"));
}

// A question of cria's world, and a schema that forbids what it would write.
TEST(Constraints, AStrictToolIsHeldToItsSchemaFromWhereTheCallBegins) {
  const json::value parameters = schema(R"({"type":"object","properties":{"name":{"type":"string",
      "enum":["Ada","Bo"]}},"required":["name"],"additionalProperties":false})");
  std::size_t calls = 0, held = 0;
  for (const bool strict : {true, false})
    for (int seed = 0; seed < 6; ++seed) {
      const json::value body =
          answered({{"messages", {{{"role", "user"}, {"content", "How old is Ines?"}}}},
                    {"tools",
                     {{{"type", "function"},
                       {"function",
                        {{"name", "how_old"},
                         {"description", "Gives the age of a person."},
                         {"parameters", parameters},
                         {"strict", strict}}}}}},
                    {"temperature", 0.2 * seed},
                    {"seed", seed}});
      if (!at(body, "choices.0.message").get_object().contains("tool_calls")) continue;
      const std::string arguments =
          text_at(body, "choices.0.message.tool_calls.0.function.arguments");
      const bool as_told = arguments == R"({"name":"Ada"})" || arguments == R"({"name":"Bo"})";
      calls += strict ? 1 : 0;
      held += strict && as_told ? 1 : 0;
      EXPECT_TRUE(strict || !as_told) << "nothing was forbidden: " << arguments;
    }
  EXPECT_GT(calls, 0u);
  EXPECT_EQ(held, calls);
}

TEST(Constraints, AnAnswerWithToolsAndASchemaIsEither) {
  for (int seed = 0; seed < 4; ++seed) {
    const json::value body = answered({{"tools", tools()},
                                       {"response_format", form(note())},
                                       {"temperature", 2},
                                       {"seed", seed}});
    if (at(body, "choices.0.message").get_object().contains("tool_calls"))
      expect_call(body, "choices.0.message.tool_calls.0");
    else
      expect_note(text_at(body, "choices.0.message.content"));
  }
}

struct Bad {
  json::object more;
  std::string param;
  std::string code;
  int status = 400;
};

// A33 and the rest: the path goes into the schema, the keyword is named.
TEST(Constraints, A33NamesWhatIsWrongWithASchema) {
  const auto with = [](std::string_view of) { return form(schema(of)); };
  std::string deep = R"({"type":"null"})";
  for (int i = 0; i < 40; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  const std::string root = "response_format.json_schema.schema";
  const Bad cases[] = {
      {{{"response_format", with(R"({"type":"strng"})")}}, root + ".type", "invalid_schema"},
      {{{"response_format", with(R"({"properties":{"a b":{"not":{}}}})")}},
       root + ".properties.a b.not",
       "invalid_schema"},
      {{{"response_format", with(R"({"type":"string","pattern":"(a*)*("})")}},
       root + ".pattern",
       "invalid_schema"},
      {{{"response_format", with(R"({"$ref":"#"})")}}, root, "invalid_schema"},
      {{{"response_format", with(deep)}}, "", "schema_too_complex", 422},
      {{{"response_format", {{"type", "json_schema"}}}},
       "response_format.json_schema",
       "missing_required_parameter"},
      {{{"response_format", {{"type", "xml"}}}}, "response_format.type", "unsupported_value"},
      {{{"guided_regex", "("}}, "guided_regex", "invalid_grammar"},
      {{{"guided_regex", "((a{1000}){1000}){1000}"}}, "guided_regex", "schema_too_complex", 422},
      {{{"grammar", "root = x"}}, "grammar", "invalid_grammar"},
      {{{"guided_choice", json::array()}}, "guided_choice", "empty_array"},
      {{{"guided_regex", "a"}, {"guided_choice", {"a"}}}, "guided_choice", "invalid_value"},
      {{{"guided_regex", "a"}, {"tools", tools()}}, "guided_regex", "invalid_value"},
      {{{"tool_choice", "required"}}, "tool_choice", "invalid_value"},
      {{{"tools", tools()}, {"tool_choice", "must"}}, "tool_choice", "unsupported_value"},
      {{{"tools", tools()}, {"tool_choice", {{"type", "function"}, {"function", {{"name", "x"}}}}}},
       "tool_choice",
       "invalid_value"},
      {{{"tools",
         {{{"type", "function"},
           {"function",
            {{"name", "f"},
             {"strict", true},
             {"parameters", schema(R"({"type":"object","properties":{"a":{"if":{}}}})")}}}}}}},
       "tools[0].function.parameters.properties.a.if",
       "invalid_schema"},
  };
  for (const Bad& bad : cases) {
    const Received got = served().post(path, hello(bad.more));
    EXPECT_EQ(got.status, bad.status) << json::serialize(bad.more).substr(0, 300) << got.body;
    if (!bad.param.empty()) {
      EXPECT_EQ(text_at(parsed(got), "error.param"), bad.param) << got.body;
    }
    EXPECT_EQ(text_at(parsed(got), "error.code"), bad.code) << got.body;
  }
}

TEST(Constraints, WhatIsNotStrictLeavesOutWhatItCannotFollowAndSaysSo) {
  const json::value loose = schema(R"({"type":"object","properties":{"a":{"type":"array",
      "items":{"enum":[1]},"uniqueItems":true,"maxItems":2}},"required":["a"],
      "additionalProperties":false})");
  const Received got =
      served().post(path, hello({{"response_format", form(loose, false)}, {"temperature", 1}}));
  ASSERT_EQ(got.status, 200) << got.body;
  EXPECT_THAT(got.header("x-herd-ignored"), HasSubstr("schema#/properties/a/uniqueItems"));
  EXPECT_TRUE(text_at(parsed(got), "choices.0.message.content").starts_with("{"));
  EXPECT_EQ(served().post(path, hello({{"response_format", form(loose, true)}})).status, 400);
}

json::object message(json::object more) {
  json::object body = hello(std::move(more));
  body.erase("seed");
  return body;
}

TEST(Constraints, AnthropicsWordsForTheSame) {
  const json::array offered{
      json::object{{"name", "add_note"}, {"input_schema", note()}, {"strict", true}},
      json::object{{"name", "list_notes"}, {"input_schema", {{"type", "object"}}}}};
  for (const json::object& choice :
       {json::object{{"type", "any"}, {"disable_parallel_tool_use", true}},
        json::object{{"type", "tool"}, {"name", "add_note"}}}) {
    const Received got = served().post(
        "/v1/messages", message({{"tools", offered}, {"tool_choice", choice}, {"temperature", 1}}));
    ASSERT_EQ(got.status, 200) << got.body;
    const json::value body = parsed(got);
    EXPECT_EQ(text_at(body, "stop_reason"), "tool_use");
    ASSERT_EQ(list_at(body, "content").size(), 1u);
    if (text_at(body, "content.0.name") == "add_note")
      expect_note(json::serialize(at(body, "content.0.input")));
  }
  const json::value formed = parsed(served().post(
      "/v1/messages",
      message({{"output_config", {{"format", {{"type", "json_schema"}, {"schema", note()}}}}}})));
  expect_note(text_at(formed, "content.0.text"));
  const Received wrong =
      served().post("/v1/messages", message({{"tool_choice", {{"type", "tool"}, {"name", "x"}}}}));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, HasSubstr("not among the tools"));
}

TEST(Constraints, TheSameGrammarIsMadeOnce) {
  engine::Grammars& grammars = served().service().grammars();
  const std::uint64_t made = grammars.state().made;
  for (int i = 0; i < 3; ++i) (void)content({{"guided_regex", "only once"}});
  EXPECT_EQ(grammars.state().made, made + 1);
  EXPECT_THAT(served().ask("GET", "/metrics").body, HasSubstr("herd_grammars_made_total"));
}

}  // namespace
}  // namespace herd::server
