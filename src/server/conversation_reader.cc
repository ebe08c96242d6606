#include "server/conversation_reader.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "media/decode.h"
#include "server/picture_fetch.h"

namespace herd::server {
namespace {

using text::ContentPart;
using text::Message;
using text::Role;

constexpr std::size_t name_bytes_max = 64;

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max && std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '.';
  });
}

// A text with an object in it, as arguments of earlier calls come back.
json::object read_arguments(Fields& fields, std::string_view name) {
  const json::value* value = fields.any(name);
  if (value == nullptr) return {};
  if (value->is_object()) return value->get_object();
  if (!value->is_string()) {
    fields.wrong(name, "invalid_type",
                 fmt::format("'{}' is {}, wanted a string with a JSON object in it",
                             fields.path(name), kind_of(*value)));
    return {};
  }
  if (text_of(*value).empty()) return {};
  auto parsed = parse_json(text_of(*value));
  if (parsed && parsed->is_object()) return std::move(parsed->get_object());
  fields.wrong(name, "invalid_value",
               fmt::format("'{}' holds no JSON object: {}", fields.path(name),
                           parsed ? std::string(kind_of(*parsed)) : parsed.error().message));
  return {};
}

class OpenAiReader {
 public:
  explicit OpenAiReader(Problem& problem) : problem_(problem) {}

  ReadConversation read(const json::array& messages) {
    if (messages.empty())
      problem_.set("empty_array", "'messages' is empty, wanted at least one message", "messages");
    for (std::size_t i = 0; i < messages.size() && !problem_; ++i) {
      const std::string path = item_path("messages", i);
      if (!messages[i].is_object()) {
        problem_.set("invalid_type",
                     fmt::format("'{}' is {}, wanted an object", path, kind_of(messages[i])), path);
        break;
      }
      Fields fields(messages[i].get_object(), path, problem_);
      message(fields);
      fields.done();
    }
    return std::move(out_);
  }

 private:
  void message(Fields& fields) {
    fields.require("role");
    const auto role =
        fields.word("role", {"developer", "system", "user", "assistant", "tool", "function"});
    if (!role) return;
    Message message;
    message.role = *role == "user"                          ? Role::user
                   : *role == "assistant"                   ? Role::assistant
                   : *role == "tool" || *role == "function" ? Role::tool
                                                            : Role::system;
    const auto name = fields.text("name", 256);
    // Llama 4's format has no names of speakers, except of the function that gives its result.
    if (name && *role != "function") problem_.ignored.push_back(fields.path("name"));
    if (message.role == Role::tool) return result(fields, std::move(message), *role == "function");
    content(fields, message);
    if (message.role == Role::assistant) calls(fields, message);
    if (message.role != Role::assistant || !message.tool_calls.empty() || !message.parts.empty()) {
      out_.conversation.messages.push_back(std::move(message));
    } else if (!problem_) {
      fields.wrong(
          "content", "missing_required_parameter",
          fmt::format("'{}' is missing, and there are no tool calls", fields.path("content")));
    }
  }

  void content(Fields& fields, Message& message) {
    if (message.role != Role::assistant) fields.require("content");
    const json::value* content = fields.any("content");
    if (content == nullptr) return;
    if (content->is_string()) {
      message.parts.push_back({ContentPart::Kind::text, std::string(text_of(*content))});
      return;
    }
    if (!content->is_array()) {
      fields.wrong("content", "invalid_type",
                   fmt::format("'{}' is {}, wanted a string or a list of parts",
                               fields.path("content"), kind_of(*content)));
      return;
    }
    message.parts_listed = true;
    const json::array& parts = content->get_array();
    if (parts.empty())
      fields.wrong("content", "empty_array",
                   fmt::format("'{}' is an empty list", fields.path("content")));
    for (std::size_t i = 0; i < parts.size() && !problem_; ++i)
      part(parts[i], item_path(fields.path("content"), i), message);
  }

  void part(const json::value& value, const std::string& path, Message& message) {
    if (!value.is_object())
      return problem_.set("invalid_type",
                          fmt::format("'{}' is {}, wanted an object", path, kind_of(value)), path);
    Fields fields(value.get_object(), path, problem_);
    fields.require("type");
    const auto type = fields.word("type", {"text", "image_url", "refusal", "input_audio", "file"});
    if (!type) return;
    if (*type == "input_audio" || *type == "file")
      return fields.wrong("type", "unsupported_value",
                          fmt::format("parts of type '{}' are not supported: the model reads text "
                                      "and pictures",
                                      *type));
    fields.ignore("prompt_cache_breakpoint");
    if (*type == "image_url") {
      picture(fields, message);
    } else {
      if (*type == "refusal" && message.role != Role::assistant)
        fields.wrong("type", "unsupported_value", "only an assistant's message holds refusals");
      fields.require(*type);
      if (auto said = fields.text(*type))
        message.parts.push_back({ContentPart::Kind::text, std::move(*said)});
    }
    fields.done();
  }

  void picture(Fields& fields, Message& message) {
    if (message.role != Role::user)
      return fields.wrong("type", "unsupported_value", "only a user's message shows pictures");
    fields.require("image_url");
    const json::object* image = fields.object("image_url");
    if (image == nullptr) return;
    Fields inner(*image, fields.path("image_url"), problem_);
    inner.require("url");
    const auto url = inner.text("url");
    const auto detail = inner.word("detail", {"auto", "low", "high"});
    inner.done();
    if (!url || problem_) return;
    auto bytes = picture_bytes(*url, inner.path("url"), problem_.pictures);
    if (!bytes) return problem_.set(std::move(bytes).error());
    add_picture(out_, std::move(*bytes), detail == "low", inner.path("url"), problem_);
    message.parts.push_back({ContentPart::Kind::image, std::to_string(out_.images.size() - 1)});
  }

  void calls(Fields& fields, Message& message) {
    if (const auto refusal = fields.text("refusal"))
      message.parts.push_back({ContentPart::Kind::text, *refusal});
    // What answers carry and clients send back; there is nothing in them for a model that only writes text.
    fields.ignore("annotations");
    fields.ignore("reasoning_content");
    fields.ignore("reasoning");
    fields.refuse("audio", "the model does not speak");
    if (const json::object* old = fields.object("function_call"))
      call(*old, fields.path("function_call"), "", message);
    const json::array* list = fields.array("tool_calls", limits::tools_max);
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->size() && !problem_; ++i) {
      const std::string path = item_path(fields.path("tool_calls"), i);
      if (!(*list)[i].is_object())
        return problem_.set("invalid_type", fmt::format("'{}' is no object", path), path);
      Fields one((*list)[i].get_object(), path, problem_);
      one.require("id");
      const auto id = one.text("id", 256);
      one.word("type", {"function"});
      one.ignore("index");
      one.require("function");
      if (const json::object* function = one.object("function"))
        call(*function, one.path("function"), id.value_or(""), message);
      one.done();
      if (id) call_ids_.insert(*id);
    }
  }

  void call(const json::object& function, const std::string& path, const std::string& id,
            Message& message) {
    Fields fields(function, path, problem_);
    fields.require("name");
    text::ToolCall call{.id = id, .name = fields.text("name", 256).value_or(""), .arguments = {}};
    call.arguments = read_arguments(fields, "arguments");
    fields.done();
    message.tool_calls.push_back(std::move(call));
  }

  void result(Fields& fields, Message message, bool function) {
    if (function) {
      fields.require("name");
    } else {
      fields.require("tool_call_id");
      const auto id = fields.text("tool_call_id", 256);
      if (id && !call_ids_.contains(*id))
        fields.wrong("tool_call_id", "invalid_value",
                     fmt::format("{} is the id of no earlier tool call", shown(*id)));
    }
    content(fields, message);
    for (const ContentPart& part : message.parts)
      if (part.kind == ContentPart::Kind::image)
        fields.wrong("content", "unsupported_value", "results of tools are texts");
    message.result = json::string(message.text());
    message.parts.clear();
    out_.conversation.messages.push_back(std::move(message));
  }

  Problem& problem_;
  ReadConversation out_;
  std::set<std::string, std::less<>> call_ids_;
};

}  // namespace

void add_picture(ReadConversation& out, std::vector<std::byte> bytes, bool low_detail,
                 const std::string& param, Problem& problem) {
  if (problem) return;
  if (out.images.size() >= limits::images_max)
    return problem.set("too_many_images",
                       fmt::format("more than {} pictures in one request", limits::images_max),
                       param);
  const auto header = media::read_image_header(bytes);
  if (!header) return problem.set(api_error(header.error(), param));
  std::uint64_t pixels = static_cast<std::uint64_t>(header->width * header->height);
  for (const media::Image& image : out.images)
    pixels += static_cast<std::uint64_t>(image.width * image.height);
  if (pixels > limits::images_pixels_max)
    return problem.set(ApiError{422, "image_too_large",
                                fmt::format("the request's pictures have {} pixels together, at "
                                            "most {}",
                                            pixels, limits::images_pixels_max),
                                param});
  auto image = media::decode_image(bytes);
  if (!image) return problem.set(api_error(image.error(), param));
  out.images.push_back(std::move(*image));
  out.low_detail.push_back(low_detail);
}

ReadConversation read_openai_messages(const json::array& messages, Problem& problem) {
  return OpenAiReader(problem).read(messages);
}

json::value arguments_schema(const json::object* parameters) {
  json::object schema;
  if (parameters == nullptr)
    schema["additionalProperties"] = false;
  else
    schema = *parameters;
  if (!schema.contains("type")) schema["type"] = "object";
  return schema;
}

bool check_tool_name(Fields& fields, const std::string& name, const ReadConversation& out) {
  if (!is_tool_name(name)) {
    fields.wrong("name", "invalid_value",
                 fmt::format("{} is no name of a function, wanted 1 to 64 letters, digits, '_', "
                             "'-' or '.'",
                             shown(name)));
    return false;
  }
  if (std::ranges::find(out.tools, name) == out.tools.end()) return true;
  fields.wrong("name", "invalid_value", fmt::format("{} comes twice", shown(name)));
  return false;
}

void read_openai_tools(const json::array& tools, ReadConversation& out, Problem& problem) {
  json::array described;
  for (std::size_t i = 0; i < tools.size() && !problem; ++i) {
    const std::string path = item_path("tools", i);
    if (!tools[i].is_object())
      return problem.set("invalid_type",
                         fmt::format("'{}' is {}, wanted an object", path, kind_of(tools[i])),
                         path);
    Fields tool(tools[i].get_object(), path, problem);
    tool.require("type");
    const auto type = tool.word("type", {"function", "custom"});
    if (type && *type == "custom")
      return tool.wrong("type", "unsupported_value",
                        "custom tools are not supported yet, functions are");
    tool.require("function");
    const json::object* function = tool.object("function");
    tool.done();
    if (function == nullptr) return;
    Fields fields(*function, tool.path("function"), problem);
    fields.require("name");
    const auto name = fields.text("name", 256);
    if (name) check_tool_name(fields, *name, out);
    fields.text("description");
    const json::object* parameters = fields.object("parameters");
    const bool strict = fields.boolean("strict").value_or(false);
    fields.done();
    if (problem || !name) return;
    out.tools.push_back(*name);
    out.described.push_back({.name = *name,
                             .schema = arguments_schema(parameters),
                             .strict = strict,
                             .place = fields.path("parameters")});
    // As it was given, but for what is no part of a definition.
    json::object kept = tools[i].get_object();
    kept["function"].get_object().erase("strict");
    described.push_back(std::move(kept));
  }
  if (!described.empty()) out.conversation.tools = std::move(described);
}

}  // namespace herd::server
