#include "grammar/json_schema.h"

#include <gtest/gtest.h>

#include "grammar/grammar_for_test.h"

namespace herd::grammar {
namespace {

using testing::matches;
using testing::take;

struct Case {
  const char* schema;
  std::vector<const char*> valid;
  std::vector<const char*> invalid;
};

void expect(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const auto schema = parse_json(one.schema);
    ASSERT_TRUE(schema) << one.schema;
    const auto compiled = take(compile_json_schema(*schema));
    for (const char* text : one.valid)
      EXPECT_TRUE(matches(compiled, text)) << one.schema << " : " << text;
    for (const char* text : one.invalid)
      EXPECT_FALSE(matches(compiled, text)) << one.schema << " : " << text;
  }
}

TEST(JsonSchema, FollowsObjects) {
  expect({
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},
           "required":["a","b"],"additionalProperties":false})",
       {R"({"a":1,"b":"x"})", "{ \"a\" : -12 ,\n  \"b\": \"\" }"},
       {R"({"a":1})", R"({"b":"x","a":1})", R"({"a":1,"b":"x","c":1})", R"({"a":1.5,"b":""})", "{}",
        R"({"a":1,"b":"x",})", R"({"a":01,"b":"x"})"}},
      {R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"},
           "c":{"type":"null"}},"required":["b"],"additionalProperties":false})",
       {R"({"b":null})", R"({"a":null,"b":null})", R"({"b":null,"c":null})",
        R"({"a":null,"b":null,"c":null})"},
       {"{}", R"({"a":null})", R"({"a":null,"c":null})", R"({,"b":null})"}},
      {R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"}},
           "additionalProperties":false})",
       {"{}", R"({"a":null})", R"({"b":null})", R"({"a":null,"b":null})"},
       {R"({"a":null,})", R"({,})"}},
      {R"({"type":"object","properties":{"ab":{"type":"null"}},
           "additionalProperties":{"type":"boolean"}})",
       {"{}", R"({"ab":null})", R"({"ab":null,"x":true})", R"({"a":true,"abc":false})",
        R"({"":true,"\n":false})"},
       {R"({"ab":true})", R"({"x":1})", R"({"x":true,"ab":true})"}},
      {R"({"type":"object","patternProperties":{"^n_":{"type":"integer"}},
           "additionalProperties":false})",
       {R"({"n_a":1,"n_":2})", "{}"},
       {R"({"n":1})", R"({"n_a":"x"})"}},
  });
}

TEST(JsonSchema, FollowsArrays) {
  expect({
      {R"({"type":"array","items":{"type":"integer"}})",
       {"[]", "[1]", "[1, 2,3]"},
       {"[1,]", "[a]"}},
      {R"({"type":"array","items":{"enum":["x"]},"minItems":2,"maxItems":3})",
       {R"(["x","x"])", R"(["x","x","x"])"},
       {"[]", R"(["x"])", R"(["x","x","x","x"])"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})",
       {"[]", "[1]", R"([1,"a"])"},
       {R"(["a"])", R"([1,"a",2])", "[1,2]"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"}],"items":{"type":"null"},
           "minItems":2})",
       {"[1,null]", "[1,null,null]"},
       {"[1]", "[null,null]"}},
      {R"({"type":"array","maxItems":0})", {"[]"}, {"[1]"}},
  });
}

TEST(JsonSchema, FollowsStrings) {
  expect({
      {R"({"type":"string"})",
       {R"("")", R"("a\n\u00e9\ud83d\ude00")", "\"\xC3\xA9\""},
       {R"("\ud83d")", R"("\ude00")", R"("\x")", "\"\n\"", "\"\xC3\"", "a"}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {R"("ab")", R"("a\"b")", "\"\xF0\x9F\x98\x80\xC3\xA9\"", R"("\ud83d\ude00x")"},
       {R"("a")", R"("abcd")"}},
      {R"({"type":"string","pattern":"^a+$"})", {R"("aa")"}, {R"("")", R"("ab")"}},
      {R"({"type":"string","pattern":"b"})", {R"("abc")", R"("\"b\n")"}, {R"("ac")"}},
      {R"({"type":"string","pattern":"^[a-z]*$","minLength":2,"maxLength":2})",
       {R"("ab")"},
       {R"("a")", R"("abc")", R"("A1")"}},
      {R"({"type":"string","format":"date"})",
       {R"("2024-02-29")", R"("1999-12-31")"},
       {R"("2023-02-29")", R"("2024-04-31")", R"("24-01-01")"}},
      {R"({"type":"string","format":"date-time"})",
       {R"("2024-05-06T07:08:09.5Z")", R"("2024-05-06T07:08:09+01:00")"},
       {R"("2024-05-06 07:08:09Z")", R"("2024-05-06T24:08:09Z")"}},
      {R"({"type":"string","format":"uuid"})",
       {R"("2eb8aa08-aa98-11ea-b4aa-73b441d16380")"},
       {R"("2eb8aa08aa9811eab4aa73b441d16380")"}},
      {R"({"type":"string","format":"ipv4"})",
       {R"("255.0.10.1")"},
       {R"("256.0.0.1")", R"("1.2.3")"}},
      {R"({"type":"string","format":"email"})", {R"("joe.b@example.com")"}, {R"("joe")"}},
  });
}

TEST(JsonSchema, FollowsNumbers) {
  expect({
      {R"({"type":"number"})",
       {"0", "-1.5", "1e5", "2.5E-3", "-0"},
       {"01", ".5", "1.", "+1", "1e"}},
      {R"({"type":"integer"})", {"0", "-7", "123456789012345678901234567890"}, {"1.5", "1e3", "-"}},
      {R"({"type":"integer","minimum":-5,"maximum":120})",
       {"-5", "-1", "0", "-0", "7", "99", "100", "119", "120"},
       {"-6", "-10", "121", "130", "200", "1000"}},
      {R"({"type":"integer","exclusiveMinimum":9,"exclusiveMaximum":12})",
       {"10", "11"},
       {"9", "12", "1"}},
      {R"({"type":"integer","minimum":1.5,"maximum":3.5})", {"2", "3"}, {"1", "4"}},
      {R"({"type":"number","minimum":0,"maximum":1})",
       {"0", "0.0", "0.5", "1", "1.00", "-0"},
       {"1.01", "-0.5", "2", "10"}},
      {R"({"type":"number","exclusiveMinimum":-1.25,"exclusiveMaximum":0})",
       {"-1.24", "-1.2", "-1", "-0.001", "-1.2499"},
       {"-1.25", "-1.250", "-1.3", "0", "-0", "-0.0", "-2", "1"}},
      {R"({"type":"number","minimum":2.75})",
       {"2.75", "2.8", "3", "11", "2.7500"},
       {"2.74", "2", "2.7"}},
      {R"({"type":"integer","multipleOf":7,"minimum":10})", {"14", "21", "700"}, {"7", "15", "0"}},
      {R"({"minimum":3})", {"3", "\"x\"", "null", "[1]"}, {"2"}},
  });
}

// Every whole number of a window against the definition, for many windows.
TEST(JsonSchema, AgreesWithArithmeticOnEveryBound) {
  for (int lo = -21; lo <= 130; lo += 13)
    for (int hi = lo; hi <= 240; hi += 37) {
      const auto schema =
          parse_json(fmt::format(R"({{"type":"integer","minimum":{},"maximum":{}}})", lo, hi));
      const auto compiled = take(compile_json_schema(*schema));
      for (int value = -150; value <= 300; ++value)
        ASSERT_EQ(matches(compiled, std::to_string(value)), lo <= value && value <= hi)
            << lo << " to " << hi << ": " << value;
    }
}

TEST(JsonSchema, FollowsConstantsAndChoices) {
  expect({
      {R"({"enum":["a\"b",1,null,true,[1,{"x":2}]]})",
       {R"("a\"b")", "1", "null", "true", R"([1,{"x":2}])", R"([ 1, { "x": 2 } ])"},
       {R"("a")", "2", "false"}},
      {R"({"type":"string","enum":["a",1]})", {R"("a")"}, {"1"}},
      {R"({"const":{"a":[]}})", {R"({"a":[]})", R"({"a": [ ]})"}, {"{}"}},
      {R"({"const":null})", {"null"}, {"0"}},
      {R"({"anyOf":[{"type":"integer"},{"type":"null"}]})", {"1", "null"}, {"\"1\""}},
      {R"({"type":["integer","null"]})", {"1", "null"}, {"true"}},
      {R"({"anyOf":[{"required":["a"]},{"required":["b"]}],"type":"object",
           "properties":{"a":{"type":"integer"},"b":{"type":"integer"}}})",
       {R"({"a":1})", R"({"b":1})", R"({"a":1,"b":1})"},
       {"{}"}},
      {R"({"oneOf":[{"type":"integer"},{"type":"string"}]})", {"1", "\"a\""}, {"null"}},
      {R"({"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"v":{"type":"integer"}},
                     "required":["k","v"]},
                    {"type":"object","properties":{"k":{"const":"b"},"v":{"type":"string"}},
                     "required":["k","v"]}]})",
       {R"({"k":"a","v":1})", R"({"k":"b","v":"x"})"},
       {R"({"k":"a","v":"x"})"}},
      {R"({"allOf":[{"type":"object","properties":{"a":{"minimum":3}},"required":["a"]},
                    {"properties":{"a":{"type":"integer","maximum":5}}}]})",
       {R"({"a":4})"},
       {R"({"a":6})", R"({"a":2})", "{}"}},
      {R"(true)", {"1", "{\"a\":[null]}"}, {""}},
  });
}

TEST(JsonSchema, FollowsReferencesAndRecursion) {
  expect({
      {R"({"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},
             "next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},
             "required":["v","next"],"additionalProperties":false}},"$ref":"#/$defs/node"})",
       {R"({"v":1,"next":null})", R"({"v":1,"next":{"v":2,"next":{"v":3,"next":null}}})"},
       {R"({"v":1})", R"({"v":1,"next":{"v":2}})"}},
      {R"({"type":"array","items":{"$ref":"#"}})", {"[]", "[[],[[]]]"}, {"[1]", "[[]"}},
      {R"({"properties":{"a~b":{"type":"integer"},"c":{"$ref":"#/properties/a~0b"}}})",
       {R"({"a~b":1,"c":2})"},
       {R"({"c":"x"})"}},
      {R"({"definitions":{"i":{"type":"integer"}},"$ref":"#/definitions/i","minimum":3})",
       {"3"},
       {"2"}},
  });
}

// tests/data/grammar.json: texts that herd wrote under random logits, and changed ones, with the verdicts of Python's
// jsonschema, by tools/reference/check_grammar.py.
TEST(JsonSchema, AgreesWithAnIndependentValidator) {
  const auto cases = read_json(HERD_ROOT "/tests/data/grammar.json");
  ASSERT_TRUE(cases) << to_string(cases.error());
  ASSERT_GE(cases->get_array().size(), 50u);
  std::size_t invalid = 0;
  for (const json::value& one : cases->get_array()) {
    const auto compiled = take(compile_json_schema(one.at("schema")));
    for (const json::value& text : one.at("valid").get_array())
      EXPECT_TRUE(matches(compiled, text.get_string())) << json::serialize(one);
    for (const json::value& text : one.at("invalid").get_array()) {
      EXPECT_FALSE(matches(compiled, text.get_string())) << json::serialize(one);
      ++invalid;
    }
  }
  EXPECT_GE(invalid, 80u);
}

TEST(JsonSchema, RefusesByNameWithThePlace) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {R"({"type":"object","properties":{"a":{"not":{}}}})",
       "#/properties/a/not: the keyword 'not'"},
      {R"({"if":{}})", "#/if: the keyword 'if'"},
      {R"({"type":"array","contains":{}})", "the keyword 'contains'"},
      {R"({"type":"array","uniqueItems":true})", "uniqueItems"},
      {R"({"type":"strng"})", "'\"strng\"' is not a type"},
      {R"({"type":"string","format":"color"})", "the format '\"color\"'"},
      {R"({"type":"string","pattern":"(a*)*("})", "( without"},
      {R"({"$ref":"http://example.com/x"})", "outside the document"},
      {R"({"$ref":"#/nowhere"})", "leads nowhere"},
      {R"({"$ref":"#"})", "no text matches"},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "left recursion"},
      {R"({"oneOf":[{"minimum":1},{"maximum":3}]})", "oneOf"},
      {R"({"type":"string","maxLength":1001})", "#/maxLength: 1001"},
      {R"({"type":"string","minLength":-1})", "a count is wanted"},
      {R"({"type":"object","minProperties":2})", "minProperties"},
      {R"({"type":"number","multipleOf":0.1})", "multipleOf"},
      {R"({"allOf":[{"properties":{"a":{}},"additionalProperties":false},
                    {"properties":{"b":{}}}]})",
       "additionalProperties beside"},
      {R"(false)", "no text matches"},
      {R"({"type":"object","properties":{"a":false},"required":["a"]})", "no text matches"},
      {R"(3)", "a schema is an object or a boolean"}};
  for (const auto& [text, reason] : cases) {
    const auto compiled = compile_json_schema(*parse_json(text));
    ASSERT_FALSE(compiled) << text;
    EXPECT_NE(compiled.error().message.find(reason), std::string::npos)
        << text << ": " << compiled.error().message;
  }
}

TEST(JsonSchema, NestsAsDeepAsTheLimitAndNoDeeper) {
  const auto nested = [](std::size_t depth) {
    std::string out = R"({"type":"null"})";
    for (std::size_t i = 1; i < depth; ++i) out = R"({"type":"array","items":)" + out + "}";
    return compile_json_schema(*parse_json(out));
  };
  EXPECT_TRUE(nested(limits::depth_max));
  EXPECT_FALSE(nested(limits::depth_max + 1));
}

// References start the count of nested schemas anew; what lies on the stack is counted on.
TEST(JsonSchema, NestsThroughReferencesAsDeepAsTheLimitAndNoDeeper) {
  const auto chain = [](std::size_t references, std::size_t lists) {
    std::string out = R"({"$ref":"#/$defs/0","$defs":{)";
    for (std::size_t i = 0; i < references; ++i) {
      std::string one = fmt::format(R"({{"$ref":"#/$defs/{}"}})", i + 1);
      for (std::size_t list = 0; list < lists; ++list)
        one = R"({"type":"array","items":)" + one + "}";
      out += fmt::format(R"("{}":{},)", i, one);
    }
    return compile_json_schema(
        *parse_json(out + fmt::format(R"("{}":{{"type":"null"}}}}}})", references)));
  };
  EXPECT_TRUE(chain(limits::levels_max - 2, 0));
  const auto deeper = chain(limits::levels_max, 0);
  ASSERT_FALSE(deeper);
  EXPECT_EQ(deeper.error().code, Code::schema_too_complex);
  EXPECT_TRUE(chain(30, 29));
  EXPECT_FALSE(chain(250, 29));
}

TEST(JsonSchema, TakesLongListsOfItemsAndNames) {
  std::string items = R"({"type":"array","items":false,"prefixItems":[)", names;
  std::string all = "[";
  constexpr int count = 8'180;
  for (int i = 0; i < count; ++i) {
    items += i > 0 ? R"(,{"type":"null"})" : R"({"type":"null"})";
    all += i > 0 ? ",null" : "null";
    names += fmt::format("{}\"n{}\"", i > 0 ? "," : "", i);
  }
  const auto list = take(compile_json_schema(*parse_json(items + "]}")));
  EXPECT_TRUE(matches(list, all + "]"));
  EXPECT_TRUE(matches(list, "[null]"));
  EXPECT_FALSE(matches(list, all + ",null]"));
  EXPECT_TRUE(compile_json_schema(*parse_json(
      R"({"type":"object","additionalProperties":{"type":"null"},"required":[)" + names + "]}")));
}

TEST(JsonSchema, HasNoDocumentsBetweenBoundsInTheWrongOrder) {
  for (const char* bounds :
       {R"("type":"array","minItems":5,"maxItems":2)",
        R"("type":"array","minItems":1,"maxItems":0)",
        R"("type":"array","prefixItems":[{}],"minItems":5,"maxItems":2)",
        R"("type":"string","minLength":5,"maxLength":2)",
        R"("type":"string","pattern":"a","minLength":5,"maxLength":2)",
        R"("type":"object","minProperties":2,"maxProperties":1)",
        R"("type":"object","required":["a","b"],"additionalProperties":false,"properties":{"a":{}},
           "minProperties":2,"maxProperties":1)",
        R"("type":"integer","minimum":3,"maximum":2)",
        R"("type":"integer","exclusiveMinimum":3,"exclusiveMaximum":4)",
        R"("type":"number","minimum":0.5,"exclusiveMaximum":0.5)",
        R"("type":"number","exclusiveMinimum":-1,"maximum":-1.5)"}) {
    const auto schema = parse_json("{" + std::string(bounds) + "}");
    ASSERT_TRUE(schema) << bounds;
    const auto alone = compile_json_schema(*schema);
    ASSERT_FALSE(alone) << bounds;
    EXPECT_TRUE(alone.error().message.contains("no text matches")) << alone.error().message;
    // Beside others it is no way.
    const auto one_way =
        take(compile_json_schema(json::object{{"anyOf", {*schema, {{"const", 1}}}}}));
    EXPECT_TRUE(matches(one_way, "1")) << bounds;
    EXPECT_FALSE(matches(one_way, "[1,2,3,4,5]")) << bounds;
  }
}

TEST(JsonSchema, RefusesBoundsThatAreNoNumbersOrTooMany) {
  for (const char* schema :
       {R"({"type":"array","minItems":1e300})",
        R"({"type":"array","maxItems":18446744073709551615})",
        R"({"type":"string","minLength":1e19})", R"({"type":"number","minimum":1e400})",
        R"({"type":"integer","maximum":-1e400})"}) {
    const auto read = parse_json(schema);
    EXPECT_FALSE(read && compile_json_schema(*read)) << schema;
  }
}

TEST(JsonSchema, KeepsWhatStandsBesideAReferenceInABranch) {
  for (const char* keyword : {"anyOf", "oneOf"}) {
    const auto schema = take(compile_json_schema(*parse_json(fmt::format(
        R"({{"$defs":{{"n":{{"type":"integer"}}}},"minimum":0,
             "{}":[{{"$ref":"#/$defs/n","maximum":9}},{{"type":"null"}}]}})",
        keyword))));
    EXPECT_TRUE(matches(schema, "9")) << keyword;
    EXPECT_FALSE(matches(schema, "10")) << keyword;
    EXPECT_FALSE(matches(schema, "-1")) << keyword;
    EXPECT_TRUE(matches(schema, "null")) << keyword;
  }
}

TEST(JsonSchema, TakesAsManyConstantsAsTheLimitAndNoMore) {
  const auto with = [](std::size_t count) {
    std::string out = R"({"enum":[0)";
    for (std::size_t i = 1; i < count; ++i) out += "," + std::to_string(i);
    return compile_json_schema(*parse_json(out + "]}"));
  };
  EXPECT_TRUE(with(limits::enum_values_max));
  EXPECT_FALSE(with(limits::enum_values_max + 1));
}

TEST(JsonObject, IsAnyObjectAndNothingElse) {
  const auto compiled = take(compile_json_object());
  EXPECT_TRUE(matches(compiled, R"({"a":[1,{"b":null}],"c":"d"})"));
  EXPECT_TRUE(matches(compiled, "{ }"));
  EXPECT_FALSE(matches(compiled, "[]"));
  EXPECT_FALSE(matches(compiled, "{}x"));
  EXPECT_FALSE(matches(compiled, "{" + std::string(65, ' ') + "}"));
}

}  // namespace
}  // namespace herd::grammar
