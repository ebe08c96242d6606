#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace herd::text {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Of the release's kind, in words of our own.
constexpr std::string_view resembling = R"({{- bos_token }}
{%- if tools is not none %}
    {{- "Surroundings: a sandbox\n" }}
{%- endif %}
{%- if tools is not none and not tools_in_user_message %}
    {{- "These can be called from the " 'system message.\n' }}
    {%- for t in tools %}{{- t | tojson(indent=4) }}{%- endfor %}
{%- endif %}
{%- if tools_in_user_message %}
    {{- '<|header_start|>user<|header_end|>\n\n' -}}
    {{- "These can be called: \"all\" " }}
    {{- "of them.\n\n" }}
    {%- for t in tools %}{{- t | tojson(indent=4) }}{%- endfor %}
{%- endif %}
{{- '<|python_start|>' }}{{- '"parameters": ' }}{{- "<|eot|>" }})";

TEST(ChatTemplate, ReadsTheWordingOutOfTheLiterals) {
  const ChatFormat format = recognise_chat_template(resembling);
  EXPECT_EQ(format.version, ChatVersion::release);
  EXPECT_THAT(format.note, HasSubstr("resembles \"release\""));
  EXPECT_EQ(format.texts.environment, "Surroundings: a sandbox\n");
  EXPECT_EQ(format.texts.tools_in_system, "These can be called from the system message.\n");
  EXPECT_EQ(format.texts.tools_in_user, "These can be called: \"all\" of them.\n\n");
}

// models/cria's template is our own; make_chat.py shows that it prints what the release prints.
TEST(ChatTemplate, KnowsTheOneThatHerdCarries) {
  const auto format = read_chat_format(fs::path(HERD_ROOT) / "models/cria");
  ASSERT_TRUE(format) << to_string(format.error());
  EXPECT_EQ(format->version, ChatVersion::release);
  EXPECT_EQ(format->note, "");
  const json::value all = *read_json(HERD_ROOT "/tests/data/chat/texts.json");
  const json::value& texts = all.at("cria");
  EXPECT_EQ(format->texts.environment, "");
  EXPECT_EQ(format->texts.tools_in_system, std::string(texts.at("tools_in_system").as_string()));
  EXPECT_EQ(format->texts.tools_in_user, std::string(texts.at("tools_in_user").as_string()));
  EXPECT_THAT(format->texts.tools_in_user, HasSubstr("These functions can be called"));
}

TEST(ChatTemplate, SaysSoWhenItIsNotKnown) {
  for (const std::string_view text :
       {"", "{{ messages }}", "{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}",
        "{{ 'unclosed", "{% unclosed", "{# unclosed",
        "{{ '<|header_start|><|header_end|><|eot|>' }}"}) {
    const ChatFormat format = recognise_chat_template(text);
    EXPECT_EQ(format.version, ChatVersion::basic) << text;
    EXPECT_THAT(format.note, HasSubstr("not known")) << text;
  }
}

// The published templates are not ours to commit; make_chat.py says where they come from.
class PublishedTemplates : public ::testing::TestWithParam<ChatVersion> {
 protected:
  void SetUp() override {
    const std::string path =
        fmt::format("{}/.cache/templates/llama4_{}.jinja", HERD_ROOT, name_of(GetParam()));
    auto text = read_file(path, 1 << 20);
    if (!text) GTEST_SKIP() << path << " is not there";
    text_ = *std::move(text);
  }
  std::string text_;
};

TEST_P(PublishedTemplates, AreRecognisedWithTheirWording) {
  const ChatFormat format = recognise_chat_template(text_);
  EXPECT_EQ(format.version, GetParam());
  EXPECT_THAT(format.note, IsEmpty());
  const json::value all = *read_json(HERD_ROOT "/tests/data/chat/texts.json");
  const json::value& texts = all.at(name_of(GetParam()));
  EXPECT_EQ(format.texts.environment, texts.at("environment").as_string());
  EXPECT_EQ(format.texts.tools_in_system, texts.at("tools_in_system").as_string());
  EXPECT_EQ(format.texts.tools_in_user, texts.at("tools_in_user").as_string());
  EXPECT_EQ(format.texts.default_system, texts.at("default_system").as_string());
  EXPECT_EQ(format.texts.tools_after, texts.at("tools_after").as_string());
}

TEST_P(PublishedTemplates, AreRecognisedWithOtherWordsButNotWithOtherCode) {
  std::string text = text_;
  const auto change = [](std::string in, std::string_view from, std::string_view to) {
    const auto at = in.find(from);
    return at == std::string::npos ? std::string() : in.replace(at, from.size(), to);
  };
  const std::string worded = change(text, "functions", "gadgets");
  EXPECT_THAT(recognise_chat_template(worded).note, IsEmpty());
  EXPECT_NE(worded, text);
  const std::string comment = change(text, "{#- This block", "{#- That block");
  EXPECT_THAT(recognise_chat_template(comment).note, IsEmpty());
  for (const auto& [from, to] : {std::pair("<|eot|>", "<|eom|>"),
                                 {"|trim", ""},
                                 {"    {{- ", "    {{ "},
                                 {"indent=4", "indent=2"},
                                 {"'ipython'", "'tools'"}}) {
    const std::string other = change(text, from, to);
    ASSERT_FALSE(other.empty());
    EXPECT_NE(recognise_chat_template(other).note, "") << from << " -> " << to;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PublishedTemplates,
                         ::testing::Values(ChatVersion::release, ChatVersion::json,
                                           ChatVersion::vllm_json, ChatVersion::pythonic),
                         [](const auto& version) { return std::string(name_of(version.param)); });

TEST(ChatTemplate, IsFoundInAModelDirectory) {
  const fs::path dir = fs::path(::testing::TempDir()) / "herd_chat_template_test";
  fs::remove_all(dir);
  fs::create_directories(dir);
  const auto note = [&] { return read_chat_format(dir)->note; };
  EXPECT_THAT(note(), HasSubstr("no chat template is there"));

  const auto write = [&](const char* name, const json::value& file) {
    ASSERT_TRUE(write_file(dir / name, std::string_view(json::serialize(file))));
  };
  write("tokenizer_config.json", {{"model_max_length", 1}});
  EXPECT_THAT(note(), HasSubstr("no chat template is there"));
  write("tokenizer_config.json", {{"chat_template", std::string(resembling)}});
  EXPECT_THAT(note(), HasSubstr("resembles"));
  write("tokenizer_config.json",
        {{"chat_template",
          json::array{{{"name", "tool_use"}, {"template", "x"}},
                      {{"name", "default"}, {"template", std::string(resembling)}}}}});
  EXPECT_THAT(note(), HasSubstr("resembles"));
  write("chat_template.json", {{"chat_template", "unknown"}});
  EXPECT_THAT(note(), HasSubstr("not known"));
  ASSERT_TRUE(write_file(dir / "chat_template.jinja", resembling));
  EXPECT_THAT(note(), HasSubstr("resembles"));

  fs::remove(dir / "chat_template.jinja");
  write("chat_template.json", {{"chat_template", 3}});
  EXPECT_EQ(read_chat_format(dir).error().code, Code::template_invalid);
  fs::remove_all(dir);
}

}  // namespace
}  // namespace herd::text
