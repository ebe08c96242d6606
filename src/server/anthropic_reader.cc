// Anthropic's messages as a conversation; the declaration is in conversation_reader.h.
#include <set>

#include "base/limits.h"
#include "server/conversation_reader.h"
#include "server/data_url.h"
#include "server/picture_fetch.h"

namespace herd::server {
namespace {

using text::ContentPart;
using text::Message;
using text::Role;

class Reader {
 public:
  explicit Reader(Problem& problem) : problem_(problem) {}

  ReadConversation read(const json::value* system, const json::array& messages,
                        const json::array* tools) {
    if (system != nullptr) instructions(*system);
    if (messages.empty())
      problem_.set("empty_array", "'messages' is empty, wanted at least one message", "messages");
    for (std::size_t i = 0; i < messages.size() && !problem_; ++i)
      message(messages[i], item_path("messages", i));
    if (tools != nullptr) definitions(*tools);
    return std::move(out_);
  }

 private:
  // A text, or blocks of text.
  std::string texts(const json::value& value, const std::string& path) {
    if (value.is_string()) return std::string(text_of(value));
    std::string all;
    if (!value.is_array()) {
      problem_.set(
          "invalid_type",
          fmt::format("'{}' is {}, wanted a text or a list of text blocks", path, kind_of(value)),
          path);
      return all;
    }
    for (std::size_t i = 0; i < value.get_array().size() && !problem_; ++i) {
      const json::value& block = value.get_array()[i];
      const std::string where = item_path(path, i);
      if (!block.is_object()) {
        wrong_block(block, where);
        break;
      }
      Fields fields(block.get_object(), where, problem_);
      fields.require("type");
      fields.word("type", {"text"});
      fields.require("text");
      // Blocks of instructions are paragraphs.
      if (!all.empty()) all += "\n\n";
      all += fields.text("text").value_or("");
      fields.ignore("cache_control");
      fields.ignore("citations");
      fields.done();
    }
    return all;
  }

  void instructions(const json::value& value) {
    std::string text = texts(value, "system");
    if (text.empty()) return;
    Message message;
    message.role = Role::system;
    message.parts.push_back({ContentPart::Kind::text, std::move(text)});
    out_.conversation.messages.push_back(std::move(message));
  }

  void message(const json::value& value, const std::string& path) {
    if (!value.is_object()) return wrong_block(value, path);
    Fields fields(value.get_object(), path, problem_);
    fields.require("role");
    fields.require("content");
    const auto role = fields.word("role", {"user", "assistant", "system"});
    const json::value* content = fields.any("content");
    fields.done();
    if (problem_ || !role || content == nullptr) return;
    Message& current = open(*role == "user"        ? Role::user
                            : *role == "assistant" ? Role::assistant
                                                   : Role::system);
    if (content->is_string()) return add_text(current, std::string(text_of(*content)));
    if (!content->is_array()) {
      return fields.wrong("content", "invalid_type",
                          fmt::format("'{}' is {}, wanted a text or a list of blocks",
                                      fields.path("content"), kind_of(*content)));
    }
    for (std::size_t i = 0; i < content->get_array().size() && !problem_; ++i)
      block(content->get_array()[i], item_path(fields.path("content"), i));
  }

  // Where the next block of this role goes: the last message, if it is of the same role.
  Message& open(Role role) {
    auto& messages = out_.conversation.messages;
    if (messages.empty() || messages.back().role != role) {
      messages.emplace_back();
      messages.back().role = role;
      messages.back().parts_listed = true;
    }
    return messages.back();
  }

  static void add_text(Message& message, std::string text) {
    if (!text.empty()) message.parts.push_back({ContentPart::Kind::text, std::move(text)});
  }

  void block(const json::value& value, const std::string& path) {
    if (!value.is_object()) return wrong_block(value, path);
    Fields fields(value.get_object(), path, problem_);
    fields.require("type");
    const auto type = fields.text("type", 64);
    fields.ignore("cache_control");
    const Role role = out_.conversation.messages.back().role;
    if (!type) return;
    if (*type == "text") {
      fields.require("text");
      fields.ignore("citations");
      add_text(open(role), fields.text("text").value_or(""));
    } else if (*type == "image" && role != Role::assistant && role != Role::system) {
      picture(fields);
    } else if (*type == "tool_use" && role == Role::assistant) {
      tool_use(fields);
    } else if (*type == "tool_result" && role != Role::assistant && role != Role::system) {
      return tool_result(fields);
    } else if ((*type == "thinking" || *type == "redacted_thinking") && role == Role::assistant) {
      // Thoughts of earlier turns are not shown to the model again.
      for (const char* name : {"thinking", "signature", "data"}) fields.ignore(name);
    } else {
      return fields.wrong("type", "unsupported_value",
                          fmt::format("blocks of type {} are not supported here", shown(*type)));
    }
    fields.done();
  }

  void picture(Fields& fields) {
    fields.require("source");
    const json::object* source = fields.object("source");
    if (source == nullptr) return;
    Fields inner(*source, fields.path("source"), problem_);
    inner.require("type");
    const auto type = inner.word("type", {"base64", "url", "file"});
    if (!type) return;
    if (*type == "file")
      return inner.wrong("type", "unsupported_value", "there are no uploaded files here");
    ApiResult<std::vector<std::byte>> bytes;
    if (*type == "url") {
      inner.require("url");
      bytes = picture_bytes(inner.text("url").value_or(""), inner.path("url"), problem_.pictures);
    } else {
      inner.require("data");
      inner.require("media_type");
      // What the bytes are decides, whatever they are called.
      inner.word("media_type", {"image/jpeg", "image/png", "image/gif", "image/webp"});
      bytes = decode_base64(inner.text("data").value_or(""), inner.path("data"));
    }
    inner.done();
    if (problem_) return;
    if (!bytes) return problem_.set(bytes.error());
    add_picture(out_, std::move(*bytes), false, inner.path("data"), problem_);
    open(Role::user)
        .parts.push_back({ContentPart::Kind::image, std::to_string(out_.images.size() - 1)});
  }

  void tool_use(Fields& fields) {
    fields.require("id");
    fields.require("name");
    fields.require("input");
    text::ToolCall call{.id = fields.text("id", 256).value_or(""),
                        .name = fields.text("name", 256).value_or(""),
                        .arguments = {}};
    if (const json::object* input = fields.object("input")) call.arguments = *input;
    fields.ignore("caller");
    call_ids_.insert(call.id);
    open(Role::assistant).tool_calls.push_back(std::move(call));
  }

  // A message of its own. The user's message that it stood in goes on behind it, where anything follows.
  void tool_result(Fields& fields) {
    fields.require("tool_use_id");
    const auto id = fields.text("tool_use_id", 256);
    const bool failed = fields.boolean("is_error").value_or(false);
    const json::value* content = fields.any("content");
    fields.done();
    if (problem_) return;
    if (id && !call_ids_.contains(*id))
      return fields.wrong("tool_use_id", "invalid_value",
                          fmt::format("{} is the id of no earlier tool_use", shown(*id)));
    Message result;
    result.role = Role::tool;
    std::vector<Message> pictures;
    std::string text;
    if (content != nullptr && content->is_array() && has_pictures(content->get_array()))
      return fields.wrong("content", "unsupported_value",
                          "results of tools are texts: this model's chat format shows pictures of "
                          "users only");
    if (content != nullptr) text = texts(*content, fields.path("content"));
    result.result = json::string(failed ? "Error: " + text : text);
    auto& messages = out_.conversation.messages;
    const bool empty = messages.back().role == Role::user && messages.back().parts.empty();
    if (empty) messages.pop_back();
    messages.push_back(std::move(result));
    messages.emplace_back();
    messages.back().role = Role::user;
    messages.back().parts_listed = true;
  }

  static bool has_pictures(const json::array& blocks) {
    for (const json::value& each : blocks)
      if (const json::value* type = find(each, "type");
          type != nullptr && type->is_string() && text_of(*type) == "image")
        return true;
    return false;
  }

  void definitions(const json::array& list) {
    json::array described;
    for (std::size_t i = 0; i < list.size() && !problem_; ++i) {
      const std::string path = item_path("tools", i);
      if (!list[i].is_object()) return wrong_block(list[i], path);
      Fields fields(list[i].get_object(), path, problem_);
      if (const auto type = fields.text("type", 64); type && *type != "custom")
        return fields.wrong(
            "type", "unsupported_value",
            fmt::format("tools of type {} run at the provider; there are none here", shown(*type)));
      fields.require("name");
      fields.require("input_schema");
      const auto name = fields.text("name", 256);
      if (name && !check_tool_name(fields, *name, out_)) return;
      const auto description = fields.text("description");
      const json::object* schema = fields.object("input_schema");
      fields.ignore("cache_control");
      fields.ignore("eager_input_streaming");
      const bool strict = fields.boolean("strict").value_or(false);
      fields.done();
      if (problem_ || !name || schema == nullptr) return;
      json::object function{{"name", *name}};
      if (description) function["description"] = *description;
      function["parameters"] = *schema;
      described.push_back({{"type", "function"}, {"function", std::move(function)}});
      out_.tools.push_back(*name);
      out_.described.push_back({.name = *name,
                                .schema = arguments_schema(schema),
                                .strict = strict,
                                .place = fields.path("input_schema")});
    }
    if (!described.empty()) out_.conversation.tools = std::move(described);
  }

  void wrong_block(const json::value& value, const std::string& path) {
    problem_.set("invalid_type", fmt::format("'{}' is {}, wanted an object", path, kind_of(value)),
                 path);
  }

  Problem& problem_;
  ReadConversation out_;
  std::set<std::string, std::less<>> call_ids_;
};

// Messages without anything in them, which the reader leaves behind the results of tools.
void drop_empty(ReadConversation& read) {
  std::erase_if(read.conversation.messages, [](const Message& message) {
    return message.role != Role::tool && message.parts.empty() && message.tool_calls.empty();
  });
}

}  // namespace

ReadConversation read_anthropic_messages(const json::value* system, const json::array& messages,
                                         const json::array* tools, Problem& problem) {
  ReadConversation read = Reader(problem).read(system, messages, tools);
  drop_empty(read);
  if (read.conversation.messages.empty())
    problem.set("invalid_value", "'messages' says nothing", "messages");
  return read;
}

}  // namespace herd::server
