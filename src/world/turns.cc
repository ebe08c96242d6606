#include "world/turns.h"

#include <fmt/format.h>

#include "base/check.h"
#include "text/python_text.h"

namespace herd::world {
namespace {

using text::ContentPart;
using text::Message;
using text::Role;

Message& add(Sample& sample, Role role, std::string_view text) {
  Message& message = sample.conversation.messages.emplace_back();
  message.role = role;
  if (!text.empty()) message.parts.push_back({ContentPart::Kind::text, std::string(text)});
  return message;
}

}  // namespace

void add_system(Sample& sample, std::string_view text) { add(sample, Role::system, text); }

void add_user(Sample& sample, std::string_view text, int pictures) {
  Message& message = add(sample, Role::user, text);
  const std::size_t first = sample.pictures.size() - static_cast<std::size_t>(pictures);
  for (std::size_t i = 0; i < static_cast<std::size_t>(pictures); ++i)
    message.parts.insert(message.parts.begin() + static_cast<std::ptrdiff_t>(i),
                         {ContentPart::Kind::image, fmt::format("picture:{}", first + i)});
}

void add_answer(Sample& sample, std::string_view text) { add(sample, Role::assistant, text); }

void add_calls(Sample& sample, std::vector<text::ToolCall> calls) {
  add(sample, Role::assistant, "").tool_calls = std::move(calls);
}

void add_result(Sample& sample, json::value result) {
  add(sample, Role::tool, "").result = std::move(result);
}

void grade_as(Sample& sample, Check check, std::vector<std::string> accepted,
              std::vector<std::string> rejected) {
  HERD_CHECK(!sample.is_document(), "a document is not graded");
  const Message& last = sample.conversation.messages.back();
  HERD_CHECK(last.role == Role::assistant, "the last message is not an answer");
  sample.expected = last.tool_calls.empty() ? last.text() : json_line(calls_json(last.tool_calls));
  sample.check = check;
  if (accepted.empty()) accepted.push_back(sample.expected);
  sample.accepted = std::move(accepted);
  sample.rejected = std::move(rejected);
}

json::array calls_json(const std::vector<text::ToolCall>& calls) {
  json::array list;
  for (const text::ToolCall& call : calls)
    list.push_back(json::object{{"name", call.name}, {"parameters", call.arguments}});
  return list;
}

std::string json_line(const json::value& value) { return text::python_json(value); }

}  // namespace herd::world
