#include "text/conversation.h"

#include <array>
#include <utility>

namespace herd::text {
namespace {

constexpr Code invalid = Code::conversation_invalid;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

std::string_view kind_name(const json::value& value) {
  const auto name = json::to_string(value.kind());
  return {name.data(), name.size()};
}

// The member `key` of `object`, which must be a string. `place` names the object.
Result<std::string> text_member(const json::value& object, std::string_view key,
                                const std::string& place) {
  const json::value* member = find(object, key);
  if (member == nullptr) return fail(invalid, "{}.{}: missing", place, key);
  if (!member->is_string())
    return fail(invalid, "{}.{}: found {}, wanted a string", place, key, kind_name(*member));
  return std::string(view(member->get_string()));
}

Result<Role> role_of(const json::value& message, const std::string& place) {
  HERD_TRY(const std::string name, text_member(message, "role", place));
  constexpr std::array<std::pair<std::string_view, Role>, 7> roles{{{"system", Role::system},
                                                                    {"developer", Role::system},
                                                                    {"user", Role::user},
                                                                    {"assistant", Role::assistant},
                                                                    {"tool", Role::tool},
                                                                    {"ipython", Role::tool},
                                                                    {"function", Role::tool}}};
  for (const auto& [known, role] : roles)
    if (name == known) return role;
  return fail(invalid, "{}.role: {} is not known, wanted system, user, assistant or tool", place,
              shown(name));
}

// {"type": "image_url", "image_url": {"url": …}} or its short forms with a string.
Result<std::string> image_source(const json::value& part, std::string_view type,
                                 const std::string& place) {
  for (const std::string_view key : {type, std::string_view("url"), std::string_view("path")}) {
    const json::value* source = find(part, key);
    if (source == nullptr) continue;
    if (source->is_string()) return std::string(view(source->get_string()));
    return text_member(*source, "url", fmt::format("{}.{}", place, key));
  }
  return std::string();  // a picture that travels beside the messages
}

Result<ContentPart> part_of(const json::value& part, const std::string& place) {
  if (!part.is_object())
    return fail(invalid, "{}: found {}, wanted an object", place, kind_name(part));
  HERD_TRY(const std::string type, text_member(part, "type", place));
  ContentPart out;
  if (type == "text") {
    HERD_TRY(out.text, text_member(part, "text", place));
  } else if (type == "image" || type == "image_url") {
    out.kind = ContentPart::Kind::image;
    HERD_TRY(out.text, image_source(part, type, place));
  } else {
    return fail(invalid, "{}.type: {} is not known, wanted 'text', 'image_url' or 'image'", place,
                shown(type));
  }
  return out;
}

Result<void> read_content(const json::value& message, const std::string& place, Message& out) {
  const json::value* content = find(message, "content");
  if (out.role == Role::tool) {
    if (content == nullptr) return fail(invalid, "{}.content: missing", place);
    if (!content->is_string() && !content->is_array() && !content->is_object())
      return fail(invalid, "{}.content: found {}, wanted a string, a list or an object", place,
                  kind_name(*content));
    out.result = *content;
    return {};
  }
  if (content == nullptr) {  // null is what an assistant says that only calls tools
    if (out.role == Role::assistant) return {};
    return fail(invalid, "{}.content: missing", place);
  }
  if (content->is_string()) {
    out.parts.push_back({ContentPart::Kind::text, std::string(view(content->get_string()))});
    return {};
  }
  if (!content->is_array())
    return fail(invalid, "{}.content: found {}, wanted a string or a list", place,
                kind_name(*content));
  out.parts_listed = true;
  const json::array& list = content->get_array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("{}.content[{}]", place, i);
    HERD_TRY(ContentPart part, part_of(list[i], where));
    if (part.kind == ContentPart::Kind::image && out.role == Role::system)
      return fail(invalid, "{}: a system message has no pictures", where);
    out.parts.push_back(std::move(part));
  }
  return {};
}

Result<ToolCall> call_of(const json::value& call, const std::string& place) {
  const json::value* function = find(call, "function");
  const std::string where = function == nullptr ? place : place + ".function";
  const json::value& described = function == nullptr ? call : *function;
  ToolCall out;
  if (const json::value* id = find(call, "id"); id != nullptr && id->is_string())
    out.id = view(id->get_string());
  HERD_TRY(out.name, text_member(described, "name", where));
  const json::value* arguments = find(described, "arguments");
  if (arguments == nullptr) return out;
  if (arguments->is_object()) {
    out.arguments = arguments->get_object();
    return out;
  }
  if (!arguments->is_string())
    return fail(invalid, "{}.arguments: found {}, wanted an object", where, kind_name(*arguments));
  if (arguments->get_string().empty()) return out;
  auto parsed = parse_json(view(arguments->get_string()));
  if (!parsed) return fail(invalid, "{}.arguments: {}", where, parsed.error().message);
  if (!parsed->is_object())
    return fail(invalid, "{}.arguments: found {}, wanted an object", where, kind_name(*parsed));
  out.arguments = std::move(parsed->get_object());
  return out;
}

Result<Message> message_of(const json::value& message, const std::string& place) {
  if (!message.is_object())
    return fail(invalid, "{}: found {}, wanted an object", place, kind_name(message));
  Message out;
  HERD_TRY(out.role, role_of(message, place));
  HERD_TRY_VOID(read_content(message, place, out));
  const json::value* calls = find(message, "tool_calls");
  if (calls == nullptr) return out;
  if (!calls->is_array())
    return fail(invalid, "{}.tool_calls: found {}, wanted a list", place, kind_name(*calls));
  const json::array& list = calls->get_array();
  if (!list.empty() && out.role != Role::assistant)
    return fail(invalid, "{}.tool_calls: only an assistant calls tools", place);
  for (std::size_t i = 0; i < list.size(); ++i) {
    HERD_TRY(ToolCall call, call_of(list[i], fmt::format("{}.tool_calls[{}]", place, i)));
    out.tool_calls.push_back(std::move(call));
  }
  return out;
}

}  // namespace

std::string Message::text() const {
  std::string out;
  for (const ContentPart& part : parts)
    if (part.kind == ContentPart::Kind::text) out += part.text;
  return out;
}

Result<Conversation> parse_conversation(const json::value& messages, const json::value* tools) {
  const json::value* list = &messages;
  if (messages.is_object()) {
    list = find(messages, "messages");
    if (list == nullptr) return fail(invalid, "messages: missing");
    if (tools == nullptr) tools = find(messages, "tools");
  }
  if (!list->is_array())
    return fail(invalid, "messages: found {}, wanted a list", kind_name(*list));
  Conversation out;
  for (std::size_t i = 0; i < list->get_array().size(); ++i) {
    HERD_TRY(Message message, message_of(list->get_array()[i], fmt::format("messages[{}]", i)));
    out.messages.push_back(std::move(message));
  }
  if (out.messages.empty()) return fail(invalid, "messages: the list is empty");
  if (tools == nullptr || tools->is_null()) return out;
  if (!tools->is_array()) return fail(invalid, "tools: found {}, wanted a list", kind_name(*tools));
  for (std::size_t i = 0; i < tools->get_array().size(); ++i)
    if (const json::value& tool = tools->get_array()[i]; !tool.is_object())
      return fail(invalid, "tools[{}]: found {}, wanted an object", i, kind_name(tool));
  out.tools = tools->get_array();
  return out;
}

}  // namespace herd::text
