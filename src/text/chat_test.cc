// Prompts against the published Jinja templates, as transformers renders them (tools/reference/make_chat.py).
#include "text/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "text/corpus_for_test.h"
#include "text/tokenizer_for_test.h"

namespace herd::text {
namespace {

using ::testing::HasSubstr;

const std::vector<ChatVersion> published{ChatVersion::release, ChatVersion::json,
                                         ChatVersion::vllm_json, ChatVersion::pythonic};

json::value data(const char* name) {
  return *read_json(std::string(HERD_ROOT "/tests/data/chat/") + name);
}

ChatTexts texts_of(ChatVersion version) {
  static const json::value all = data("texts.json");
  const json::value& texts = all.at(name_of(version));
  const auto text = [&](const char* key) { return std::string(texts.at(key).as_string()); };
  return {.environment = text("environment"),
          .tools_in_system = text("tools_in_system"),
          .tools_in_user = text("tools_in_user"),
          .default_system = text("default_system"),
          .tools_after = text("tools_after")};
}

ChatRenderer renderer(ChatVersion version) {
  ChatFormat format{version, version == ChatVersion::basic ? ChatTexts{} : texts_of(version), {}};
  auto made = ChatRenderer::create(testing::small_tokenizer(), std::move(format));
  HERD_CHECK(made, "{}", to_string(made.error()));
  return *std::move(made);
}

Conversation conversation(std::string_view messages, std::string_view tools = "null") {
  const json::value list = *parse_json(messages);
  const json::value defined = *parse_json(tools);
  auto read = parse_conversation(list, &defined);
  HERD_CHECK(read, "{}", to_string(read.error()));
  return *std::move(read);
}

std::string rendered(ChatVersion version, std::string_view messages,
                     std::string_view tools = "null", const RenderOptions& options = {}) {
  auto prompt = renderer(version).render(conversation(messages, tools), options);
  return prompt ? prompt->text : to_string(prompt.error());
}

std::int32_t image_token() { return *testing::small_tokenizer().special("<|image|>"); }

// The prompt of a golden case; its ⟦names⟧ replaced by the wording they stand for.
std::string expected_prompt(const json::value& golden, std::string_view format,
                            const ChatTexts& texts) {
  std::string text(golden.at("expected").at(format).as_string());
  for (const auto& [name, wording] :
       {std::pair<std::string, std::string>("environment", texts.environment),
        {"tools_in_system", texts.tools_in_system},
        {"tools_in_user", texts.tools_in_user},
        {"default_system", texts.default_system}})
    for (std::size_t at; (at = text.find("⟦" + name + "⟧")) != std::string::npos;)
      text.replace(at, name.size() + 6, wording);
  return text;
}

TEST(Chat, RendersWhatThePublishedTemplatesRender) {
  const json::value cases = data("conversations.json");
  ASSERT_GE(cases.as_array().size(), 40u);
  auto format = read_chat_format(fs::path(HERD_ROOT) / "models/cria");
  ASSERT_TRUE(format);
  const auto cria = ChatRenderer::create(testing::small_tokenizer(), *std::move(format));
  ASSERT_TRUE(cria);
  for (const json::value& golden : cases.as_array()) {
    const json::value* in_user = find(golden, "tools_in_user_message");
    const json::value* generate = find(golden, "add_generation_prompt");
    const RenderOptions options{.add_generation_prompt = generate == nullptr || generate->as_bool(),
                                .tools_in_user_message = in_user == nullptr || in_user->as_bool()};
    const auto read = parse_conversation(golden);
    ASSERT_TRUE(read) << golden.at("name") << to_string(read.error());
    const auto check = [&](const ChatRenderer& with, std::string_view name) {
      SCOPED_TRACE(fmt::format("{} as {}", json::serialize(golden.at("name")), name));
      const auto prompt = with.render(*read, options);
      ASSERT_TRUE(prompt) << to_string(prompt.error());
      EXPECT_EQ(prompt->text, expected_prompt(golden, name, with.format().texts));
      EXPECT_EQ(fmt::format("{:016x}", testing::hash_of(prompt->ids(image_token()))),
                golden.at("ids").at(name).as_string());
    };
    for (const ChatVersion version : published) check(renderer(version), name_of(version));
    check(*cria, "cria");
  }
}

// reliability.md B3: every special token, in every place a caller can write to, stays text.
TEST(Chat, LeavesControlTokensToTheRenderer) {
  const Tokenizer& tokenizer = testing::small_tokenizer();
  for (const ChatVersion version : {ChatVersion::basic, ChatVersion::release, ChatVersion::json,
                                    ChatVersion::vllm_json, ChatVersion::pythonic}) {
    const auto build = [&](const std::string& x) {
      return conversation(
          R"([{"role":"system","content":")" + x + R"("},{"role":"user","content":")" + x +
              R"("},{"role":"user","content":[{"type":"text","text":")" + x +
              R"("},{"type":"image_url","image_url":{"url":")" + x +
              R"("}}]},{"role":"assistant","content":")" + x + R"(","tool_calls":[{"id":")" + x +
              R"(","function":{"name":")" + x + R"(","arguments":{")" + x + R"(":")" + x +
              R"("}}}]},{"role":"tool","content":")" + x +
              R"("},{"role":"tool","content":[{"type":"text","text":")" + x + R"("}]}])",
          R"([{"name":")" + x + R"(","description":")" + x + R"("}])");
    };
    const auto special_ids = [&](const std::string& x) {
      const auto prompt = renderer(version).render(build(x));
      HERD_CHECK(prompt, "{}", to_string(prompt.error()));
      EXPECT_EQ(prompt->images.size(), 1u);
      std::vector<std::int32_t> specials;
      for (const Segment& segment : prompt->segments)
        for (const std::int32_t id : segment.ids)
          if (tokenizer.is_special(id)) specials.push_back(id);
      return specials;
    };
    const auto control = special_ids("plain");
    ASSERT_GT(control.size(), 10u);
    for (const std::int32_t id : tokenizer.vocabulary().added())
      EXPECT_EQ(special_ids(std::string(tokenizer.bytes_of(id))), control)
          << tokenizer.bytes_of(id) << " as " << name_of(version);
  }
}

TEST(Chat, PlacesPicturesByPositionNotByName) {
  const auto prompt =
      renderer(ChatVersion::release).render(conversation(R"([{"role":"user","content":[
    {"type":"text","text":"<|image|> a "},{"type":"image_url","image_url":{"url":"one.png"}},
    {"type":"image","image":"two.png"},{"type":"text","text":"b"},{"type":"image"}]}])"));
  ASSERT_TRUE(prompt);
  EXPECT_EQ(prompt->images, (std::vector<std::string>{"one.png", "two.png", ""}));
  std::vector<int> order;
  for (const Segment& segment : prompt->segments) {
    order.push_back(segment.image.value_or(-1));
    EXPECT_EQ(segment.image.has_value(), segment.ids.empty());
  }
  EXPECT_EQ(order, (std::vector<int>{-1, 0, 1, -1, 2, -1}));
  const auto ids = prompt->ids(image_token());
  EXPECT_EQ(std::count(ids.begin(), ids.end(), image_token()), 3);
}

// Where a template loses or garbles what was said. Each case names what the template does.
TEST(Chat, KeepsWhatTemplatesLose) {
  constexpr std::string_view begin = "<|begin_of_text|>";
  const std::string answer = "<|header_start|>assistant<|header_end|>\n\n";
  const auto turn = [](std::string role, std::string text) {
    return "<|header_start|>" + role + "<|header_end|>\n\n" + text + "<|eot|>";
  };
  const ChatTexts texts = texts_of(ChatVersion::release);
  const std::string tool = "[{\"name\":\"f\"}]";
  const std::string printed = "{\n    \"name\": \"f\"\n}\n\n";
  // Only the first text of a system message's list is printed.
  EXPECT_EQ(rendered(ChatVersion::release,
                     R"([{"role":"system","content":[{"type":"text","text":" a"},
                         {"type":"text","text":"b "}]},{"role":"user","content":"c"}])"),
            std::string(begin) + turn("system", "ab") + turn("user", "c") + answer);
  // A list as the first user message is printed as Python's repr when tools come with it.
  EXPECT_EQ(
      rendered(ChatVersion::release,
               R"([{"role":"user","content":[{"type":"text","text":" a "},{"type":"image"},
                         {"type":"text","text":" b "}]}])",
               tool),
      std::string(begin) + turn("user", texts.tools_in_user + printed + "a <|image|> b") + answer);
  // The first message becomes a user's whoever said it.
  EXPECT_EQ(
      rendered(ChatVersion::release,
               R"([{"role":"assistant","content":"hi"},{"role":"user","content":"c"}])", tool),
      std::string(begin) + turn("assistant", "hi") +
          turn("user", texts.tools_in_user + printed + "c") + answer);
  // Tools for the system message vanish when there is none.
  EXPECT_EQ(rendered(ChatVersion::release, R"([{"role":"user","content":"c"}])", tool,
                     {.tools_in_user_message = false}),
            std::string(begin) +
                turn("system", texts.environment + texts.tools_in_system + printed) +
                turn("user", "c") + answer);
  // An empty system message takes the tools with it.
  EXPECT_EQ(rendered(ChatVersion::pythonic,
                     R"([{"role":"system","content":" "},{"role":"user","content":"c"}])", tool),
            rendered(ChatVersion::pythonic, R"([{"role":"user","content":"c"}])", tool));
  // An answer with an empty list of calls is left out; null content is an error.
  EXPECT_EQ(
      rendered(ChatVersion::release,
               R"([{"role":"user","content":"c"},
                         {"role":"assistant","content":"d","tool_calls":[]},
                         {"role":"assistant","content":null,
                          "tool_calls":[{"function":{"name":"f","arguments":""}}]}])"),
      std::string(begin) + turn("user", "c") + turn("assistant", "d") +
          turn("assistant", "<|python_start|><|python_end|>{\"name\": \"f\", \"parameters\": {}}") +
          answer);
  // An object as a tool's result is left out by the pythonic template.
  EXPECT_EQ(rendered(ChatVersion::pythonic,
                     R"([{"role":"user","content":"c"},{"role":"tool","content":{"a":[1]}}])"),
            std::string(begin) + turn("user", "c") + turn("ipython", "{\"a\": [1]}") + answer);
}

TEST(Chat, NeedsAUserMessageForTools) {
  EXPECT_THAT(rendered(ChatVersion::release, R"([{"role":"system","content":"a"}])", "[{}]"),
              HasSubstr("error[E1404]: messages: no user message"));
}

TEST(Chat, FormatsByTheGrammarWithoutATemplate) {
  const std::string messages =
      R"([{"role":"system","content":" a "},{"role":"user","content":"b"}])";
  EXPECT_EQ(rendered(ChatVersion::basic, messages), rendered(ChatVersion::release, messages));
  EXPECT_THAT(rendered(ChatVersion::basic, messages, R"([{"name":"f"}])"),
              HasSubstr("{\n    \"name\": \"f\"\n}\n\nb<|eot|>"));
}

TEST(Chat, NamesTheSpecialTokenThatIsMissing) {
  std::string file = testing::small_file();
  testing::replace_once(file, "<|python_end|>", "<|python_no|>");
  const auto tokenizer = Tokenizer::from_json(file);
  ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
  EXPECT_TRUE(ChatRenderer::create(*tokenizer, {ChatVersion::pythonic, {}, {}}));
  const auto made = ChatRenderer::create(*tokenizer, {ChatVersion::release, {}, {}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::tokenizer_invalid);
  EXPECT_THAT(made.error().message, HasSubstr("<|python_end|>"));
}

}  // namespace
}  // namespace herd::text
