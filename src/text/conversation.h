// A conversation as the OpenAI surface describes it: messages with roles, text, pictures, tool calls and tool results.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace herd::text {

enum class Role : std::uint8_t { system, user, assistant, tool };

// Part of a message: its text, or where its picture comes from (a URL, a data: URL or a path, as the caller wrote it).
struct ContentPart {
  enum class Kind : std::uint8_t { text, image };
  Kind kind = Kind::text;
  std::string text;  // the text, or the picture's source
};

struct ToolCall {
  std::string id;
  std::string name;
  json::object arguments;
};

struct Message {
  Role role = Role::user;
  std::vector<ContentPart> parts;
  bool parts_listed = false;  // content was a list; some templates trim the texts of lists only
  std::vector<ToolCall> tool_calls;  // assistant only
  // Assistant only: the tokens that the model wrote this message as, where they are known. They stand for parts and
  // calls when it is rendered.
  std::vector<std::int32_t> written = {};
  json::value result;  // tool only: the content as it was given, a text, a list or an object

  // All texts of the message, one after the other.
  [[nodiscard]] std::string text() const;
};

struct Conversation {
  std::vector<Message> messages;
  std::optional<json::array>
      tools;  // as they were given; none and an empty list are different things to templates
};

// Reads `messages` (the list of a chat request, or an object with the members "messages" and "tools") and `tools`.
// Roles: system (also "developer"), user, assistant, tool (also "ipython", "function"). Arguments of tool calls may be
// an object or a text with one in it. Fails with conversation_invalid; the message begins with the exact place,
// "messages[2].content[0].type: …".
Result<Conversation> parse_conversation(const json::value& messages,
                                        const json::value* tools = nullptr);

}  // namespace herd::text
