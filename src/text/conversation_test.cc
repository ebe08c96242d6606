#include "text/conversation.h"

#include <gtest/gtest.h>

namespace herd::text {
namespace {

std::string error_of(std::string_view text, std::string_view tools = "null") {
  const json::value value = *parse_json(text);
  const json::value defined = *parse_json(tools);
  const auto read = parse_conversation(value, &defined);
  if (read) return "";
  EXPECT_EQ(read.error().code, Code::conversation_invalid);
  return read.error().message;
}

TEST(Conversation, ReadsEveryPart) {
  const json::value value = *parse_json(R"({"tools":[{"name":"f"}],"messages":[
    {"role":"developer","content":"a"},
    {"role":"user","content":[{"type":"text","text":"b"},{"type":"image_url","image_url":"c.png"}]},
    {"role":"assistant","content":null,"refusal":null,"tool_calls":[
      {"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}}]},
    {"role":"function","name":"f","content":"d"}]})");
  const auto read = parse_conversation(value);
  ASSERT_TRUE(read) << to_string(read.error());
  ASSERT_EQ(read->messages.size(), 4u);
  EXPECT_EQ(read->messages[0].role, Role::system);
  EXPECT_EQ(read->messages[1].text(), "b");
  EXPECT_EQ(read->messages[1].parts[1].text, "c.png");
  EXPECT_TRUE(read->messages[1].parts_listed);
  EXPECT_EQ(read->messages[2].tool_calls[0].arguments.at("x"), 1);
  EXPECT_EQ(read->messages[2].tool_calls[0].id, "1");
  EXPECT_EQ(read->messages[3].role, Role::tool);
  EXPECT_EQ(read->messages[3].result, "d");
  EXPECT_EQ(read->tools->size(), 1u);
}

TEST(Conversation, NamesTheExactPlaceOfAnError) {
  EXPECT_EQ(error_of("{}"), "messages: missing");
  EXPECT_EQ(error_of("[]"), "messages: the list is empty");
  EXPECT_EQ(error_of("3"), "messages: found int64, wanted a list");
  EXPECT_EQ(error_of(R"([3])"), "messages[0]: found int64, wanted an object");
  EXPECT_EQ(error_of(R"([{"content":"a"}])"), "messages[0].role: missing");
  EXPECT_EQ(error_of(R"([{"role":1}])"), "messages[0].role: found int64, wanted a string");
  EXPECT_EQ(error_of(R"([{"role":"user","content":"a"},{"role":"bot","content":"a"}])"),
            "messages[1].role: 'bot' is not known, wanted system, user, assistant or tool");
  EXPECT_EQ(error_of(R"([{"role":"user"}])"), "messages[0].content: missing");
  EXPECT_EQ(error_of(R"([{"role":"user","content":{}}])"),
            "messages[0].content: found object, wanted a string or a list");
  EXPECT_EQ(error_of(R"([{"role":"user","content":["a"]}])"),
            "messages[0].content[0]: found string, wanted an object");
  EXPECT_EQ(
      error_of(R"([{"role":"user","content":"a"},{"role":"user","content":"a"},
                         {"role":"user","content":[{"type":"audio"}]}])"),
      "messages[2].content[0].type: 'audio' is not known, wanted 'text', 'image_url' or 'image'");
  EXPECT_EQ(error_of(R"([{"role":"user","content":[{"type":"text"}]}])"),
            "messages[0].content[0].text: missing");
  EXPECT_EQ(error_of(R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":1}}]}])"),
            "messages[0].content[0].image_url.url: found int64, wanted a string");
  EXPECT_EQ(error_of(R"([{"role":"system","content":[{"type":"image"}]}])"),
            "messages[0].content[0]: a system message has no pictures");
  EXPECT_EQ(error_of(R"([{"role":"tool","content":1}])"),
            "messages[0].content: found int64, wanted a string, a list or an object");
  EXPECT_EQ(error_of(R"([{"role":"user","content":"a","tool_calls":[{}]}])"),
            "messages[0].tool_calls: only an assistant calls tools");
  EXPECT_EQ(error_of(R"([{"role":"assistant","tool_calls":{}}])"),
            "messages[0].tool_calls: found object, wanted a list");
  EXPECT_EQ(error_of(R"([{"role":"assistant","tool_calls":[{"function":{}}]}])"),
            "messages[0].tool_calls[0].function.name: missing");
  EXPECT_EQ(error_of(R"([{"role":"assistant","tool_calls":[
              {"function":{"name":"f","arguments":"{\"a\""}}]}])"),
            "messages[0].tool_calls[0].function.arguments: incomplete JSON at byte 4");
  EXPECT_EQ(error_of(R"([{"role":"assistant","tool_calls":[
              {"function":{"name":"f","arguments":"[]"}}]}])"),
            "messages[0].tool_calls[0].function.arguments: found array, wanted an object");
  EXPECT_EQ(error_of(R"([{"role":"user","content":"a"}])", "{}"),
            "tools: found object, wanted a list");
  EXPECT_EQ(error_of(R"([{"role":"user","content":"a"}])", "[{},1]"),
            "tools[1]: found int64, wanted an object");
}

}  // namespace
}  // namespace herd::text
