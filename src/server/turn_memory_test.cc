#include "server/turn_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/testing/served.h"

namespace herd::server {
namespace {

using testing::HasSubstr;

SaidTurn turn(const std::string& id, std::string tenant = "ada") {
  return {.tenant = std::move(tenant),
          .text = "Let me see.",
          .calls = {{.id = id, .name = "look", .arguments = {{"at", 3}, {"on", "it"}}}},
          .tokens = {5, 6, 7}};
}

text::Conversation sent_back(const SaidTurn& said) {
  text::Conversation conversation;
  text::Message& message = conversation.messages.emplace_back();
  message.role = text::Role::assistant;
  message.parts.push_back({text::ContentPart::Kind::text, said.text});
  message.tool_calls = said.calls;
  return conversation;
}

std::vector<std::int32_t> recalled(TurnMemory& memory, text::Conversation conversation,
                                   std::string_view tenant = "ada") {
  memory.recall(tenant, conversation);
  return conversation.messages.front().written;
}

TEST(TurnMemory, KnowsATurnByAllThatTheClientWasGiven) {
  TurnMemory memory;
  memory.add(turn("call_1"));
  const text::Conversation same = sent_back(turn("call_1"));
  EXPECT_EQ(recalled(memory, same), (std::vector<std::int32_t>{5, 6, 7}));
  EXPECT_TRUE(recalled(memory, same, "eve").empty());
  EXPECT_TRUE(recalled(memory, sent_back(turn("call_2"))).empty());
  text::Conversation changed = same;
  changed.messages[0].tool_calls[0].arguments["at"] = 4;
  EXPECT_TRUE(recalled(memory, changed).empty());
  changed = same;
  changed.messages[0].tool_calls[0].name = "leap";
  EXPECT_TRUE(recalled(memory, changed).empty());
  changed = same;
  changed.messages[0].parts[0].text = "Let me see!";
  EXPECT_TRUE(recalled(memory, changed).empty());
  changed = same;
  changed.messages[0].tool_calls.push_back(changed.messages[0].tool_calls[0]);
  EXPECT_TRUE(recalled(memory, changed).empty());
  changed = same;
  changed.messages[0].role = text::Role::user;
  EXPECT_TRUE(recalled(memory, changed).empty());
  // Members of an object have no order.
  changed = same;
  changed.messages[0].tool_calls[0].arguments = {{"on", "it"}, {"at", 3}};
  EXPECT_FALSE(recalled(memory, changed).empty());
}

TEST(TurnMemory, KeepsTheLatestUsed) {
  TurnMemory memory;
  memory.add(turn("first"));
  memory.add(turn("second"));
  for (std::size_t i = 0; i + 2 < TurnMemory::turns_max; ++i)
    memory.add(turn(fmt::format("{}", i)));
  EXPECT_FALSE(recalled(memory, sent_back(turn("first"))).empty());
  memory.add(turn("last"));
  EXPECT_FALSE(recalled(memory, sent_back(turn("first"))).empty());
  EXPECT_TRUE(recalled(memory, sent_back(turn("second"))).empty());
  SaidTurn large = turn("large");
  large.tokens.resize(TurnMemory::tokens_max);
  memory.add(large);
  EXPECT_FALSE(recalled(memory, sent_back(turn("large"))).empty());
  EXPECT_TRUE(recalled(memory, sent_back(turn("last"))).empty());
}

// Over sockets: a turn with calls that comes back is the tokens it was written as, and the cache has them.
struct Replayed : testing::Test {
  static const Served& served() {
    static const Served one;
    return one;
  }
  // At temperature 2 the model writes arguments as no renderer would.
  json::object asked = {
      {"model", "cria"},
      {"messages", {{{"role", "user"}, {"content", "Note: buy milk, bread, and a red kite."}}}},
      {"max_tokens", 400},
      {"seed", 3},
      {"temperature", 2},
      {"top_p", 1},
      {"tool_choice", "required"},
      {"tools",
       {{{"type", "function"},
         {"function",
          {{"name", "add_note"},
           {"description", "Writes a note."},
           {"parameters",
            parse_json(R"({"type":"object","properties":{"text":{"type":"string","minLength":150,
                "maxLength":160}},"required":["text"],"additionalProperties":false})")
                .value()},
           {"strict", true}}}}}}};

  static json::array tokens_of(const json::object& body) {
    const json::value rendered = parsed(
        served().post("/render", {{"messages", body.at("messages")}, {"tools", body.at("tools")}}));
    return list_at(rendered, "tokens");
  }
  // The conversation with what the model said, and what the tool answered.
  [[nodiscard]] json::object with(const json::object& message) const {
    json::object more = asked;
    json::array& messages = more.at("messages").get_array();
    messages.push_back(message);
    for (const json::value& call : message.at("tool_calls").get_array())
      messages.push_back(
          {{"role", "tool"}, {"tool_call_id", call.at("id")}, {"content", "written"}});
    return more;
  }
};

TEST_F(Replayed, CallsAreTheTokensTheyWereWrittenAsAndTheCacheHasThem) {
  const Received got = served().post("/v1/chat/completions", asked);
  ASSERT_EQ(got.status, 200) << got.body;
  const json::value answer = parsed(got);
  const json::object message = at(answer, "choices.0.message").get_object();
  ASSERT_EQ(text_at(answer, "choices.0.finish_reason"), "tool_calls") << got.body;
  const auto number = [](const json::value& body, std::string_view where) {
    return at(body, where).to_number<std::int64_t>();
  };
  const std::int64_t prompt = number(answer, "usage.prompt_tokens");
  const std::int64_t written = number(answer, "usage.completion_tokens");

  text::Conversation said;
  text::Message& turn = said.messages.emplace_back();
  turn.role = text::Role::assistant;
  for (const json::value& call : message.at("tool_calls").get_array())
    turn.tool_calls.push_back(
        {.id = std::string(call.at("id").as_string()),
         .name = "add_note",
         .arguments = parse_json(at(call, "function.arguments").as_string()).value().get_object()});
  served().service().turns().recall("", said);
  ASSERT_EQ(std::ssize(turn.written), written);

  const json::object again = with(message);
  const json::array tokens = tokens_of(again);
  ASSERT_GT(std::ssize(tokens), prompt + written);
  for (std::size_t i = 0; i < turn.written.size(); ++i)
    ASSERT_EQ(tokens[static_cast<std::size_t>(prompt) + i].to_number<std::int32_t>(),
              turn.written[i])
        << i;
  // A turn that the client changed is printed as it says.
  json::object changed = message;
  changed.at("tool_calls").get_array()[0].get_object().at("function").get_object()["arguments"] =
      R"({"text":"something else"})";
  EXPECT_LT(std::ssize(tokens_of(with(changed))), std::ssize(tokens));

  const json::value next = parsed(served().post("/v1/chat/completions", again));
  EXPECT_GT(number(next, "usage.prompt_tokens_details.cached_tokens"), prompt)
      << json::serialize(next);
}

}  // namespace
}  // namespace herd::server
