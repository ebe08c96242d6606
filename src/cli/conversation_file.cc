#include "cli/conversation_file.h"

namespace herd::cli {
namespace {

std::string_view role_name(text::Role role) {
  switch (role) {
    case text::Role::system:
      return "system";
    case text::Role::user:
      return "user";
    case text::Role::assistant:
      return "assistant";
    case text::Role::tool:
      return "tool";
  }
  return "";
}

json::value to_json(const text::Message& message) {
  json::object out{{"role", role_name(message.role)}};
  if (!message.parts_listed) {
    out["content"] = message.text();
    return out;
  }
  json::array parts;
  for (const text::ContentPart& part : message.parts) {
    if (part.kind == text::ContentPart::Kind::image)
      parts.push_back({{"type", "image_url"}, {"image_url", {{"url", part.text}}}});
    else
      parts.push_back({{"type", "text"}, {"text", part.text}});
  }
  out["content"] = std::move(parts);
  return out;
}

}  // namespace

text::Message text_message(text::Role role, std::string text) {
  text::Message message;
  message.role = role;
  message.parts.push_back({text::ContentPart::Kind::text, std::move(text)});
  return message;
}

Result<void> save_conversation(const text::Conversation& conversation, const fs::path& path) {
  json::array messages;
  for (const text::Message& message : conversation.messages) messages.push_back(to_json(message));
  return write_file(path, json::serialize(json::object{{"messages", std::move(messages)}}) + "\n");
}

Result<text::Conversation> load_conversation(const fs::path& path) {
  HERD_TRY(const json::value file, read_json(path.string()));
  auto conversation = text::parse_conversation(file);
  if (!conversation) return std::unexpected(std::move(conversation).error().in(path.string()));
  return conversation;
}

}  // namespace herd::cli
