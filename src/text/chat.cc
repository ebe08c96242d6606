// One function for each version renders the whole conversation in the order its template prints it; where the template
// would lose what the caller said, the comment at the place says what is done instead.
#include "text/chat.h"

#include <span>

#include "text/python_text.h"

namespace herd::text {
namespace {

constexpr std::string_view begin_of_text = "<|begin_of_text|>";
constexpr std::string_view header_start = "<|header_start|>";
constexpr std::string_view header_end = "<|header_end|>";
constexpr std::string_view eot = "<|eot|>";
constexpr std::string_view eom = "<|eom|>";
constexpr std::string_view python_start = "<|python_start|>";
constexpr std::string_view python_end = "<|python_end|>";

// For checkpoints that bring no wording of their own.
constexpr std::string_view plain_tools =
    "These functions can be called; each is described in JSON. To call one, answer with nothing "
    "but {\"name\": its name, \"parameters\": an object with its arguments}.\n\n";

constexpr int definition_indent = 4;

// Collects what is printed. Text between two special tokens is encoded as one, as tokenizers do with a template's
// output.
class Writer {
 public:
  explicit Writer(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void special(std::string_view name) {
    flush();
    run().push_back(*tokenizer_.special(name));
    prompt_.text += name;
  }
  void text(std::string_view text) {
    pending_ += text;
    prompt_.text += text;
  }
  void tokens(std::span<const std::int32_t> ids) {
    flush();
    run().insert(run().end(), ids.begin(), ids.end());
    for (const std::int32_t id : ids) prompt_.text += tokenizer_.bytes_of(id);
  }
  void image(const std::string& source) {
    flush();
    prompt_.segments.push_back({{}, static_cast<int>(prompt_.images.size())});
    prompt_.images.push_back(source);
    prompt_.text += "<|image|>";
  }
  void header(std::string_view role) {
    special(header_start);
    text(role);
    special(header_end);
    text("\n\n");
  }
  Prompt finish() {
    flush();
    return std::move(prompt_);
  }

 private:
  std::vector<std::int32_t>& run() {
    if (prompt_.segments.empty() || prompt_.segments.back().image)
      prompt_.segments.push_back({{}, std::nullopt});
    return prompt_.segments.back().ids;
  }
  void flush() {
    if (!pending_.empty()) tokenizer_.append(pending_, SpecialTokens::as_text, run());
    pending_.clear();
  }

  const Tokenizer& tokenizer_;
  Prompt prompt_;
  std::string pending_;
};

std::string_view header_of(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::tool:
      return "ipython";
  }
  return "user";
}

enum class Trim : std::uint8_t { none, each, ends };

// Text and pictures in order. `ends` trims the message as if its texts were one; `each` trims every text.
void print_parts(Writer& writer, const Message& message, Trim trim) {
  const std::size_t last = message.parts.size() - 1;
  for (std::size_t i = 0; i < message.parts.size(); ++i) {
    const ContentPart& part = message.parts[i];
    if (part.kind == ContentPart::Kind::image) {
      writer.image(part.text);
      continue;
    }
    std::string_view text = part.text;
    if (trim != Trim::none) {
      const std::string_view stripped = python_strip(text);
      const auto leading = static_cast<std::size_t>(stripped.data() - text.data());
      if (trim == Trim::each || i == last) text = text.substr(0, leading + stripped.size());
      if (trim == Trim::each || i == 0) text = text.substr(std::min(leading, text.size()));
    }
    writer.text(text);
  }
}

void print_definitions(Writer& writer, const json::array& tools) {
  for (const json::value& tool : tools) {
    writer.text(python_json(tool, definition_indent));
    writer.text("\n\n");
  }
}

void print_json_calls(Writer& writer, const std::vector<ToolCall>& calls) {
  for (const ToolCall& call : calls) {
    writer.text("{\"name\": \"" + call.name + "\", \"parameters\": ");
    writer.text(python_json(call.arguments));
    writer.text("}");
  }
}

// Where definitions go that belong into the first user message. The templates take the first message whatever its role;
// here a greeting of the assistant keeps its place.
Result<std::size_t> first_user(std::span<const Message> messages) {
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (messages[i].role == Role::user) return i;
  return fail(Code::conversation_invalid,
              "messages: no user message, which the definitions of the tools would go into");
}

// What a conversation looks like to every version: the system message in front, and the rest.
struct View {
  const Message* system = nullptr;
  std::span<const Message> rest;
  const json::array* tools = nullptr;

  explicit View(const Conversation& conversation) : rest(conversation.messages) {
    if (conversation.tools) tools = &*conversation.tools;
    if (rest.empty() || rest.front().role != Role::system) return;
    system = &rest.front();
    rest = rest.subspan(1);
  }
};

// basic, release and json differ in their wording, in the python tags and in how tool results end.
Result<void> print_release(Writer& writer, const View& view, const ChatFormat& format,
                           const RenderOptions& options) {
  const bool in_user = view.tools != nullptr && options.tools_in_user_message;
  const bool in_system = view.tools != nullptr && !options.tools_in_user_message;
  // The templates drop definitions for a system message that is not there; here it is made.
  if (view.system != nullptr || in_system) {
    writer.header("system");
    if (view.tools != nullptr) writer.text(format.texts.environment);
    if (in_system) {
      writer.text(format.texts.tools_in_system);
      print_definitions(writer, *view.tools);
    }
    // The templates print the first text of a list and drop the others; here all are one text.
    if (view.system != nullptr) writer.text(python_strip(view.system->text()));
    writer.special(eot);
  }
  std::size_t with_tools = view.rest.size();
  if (in_user) {
    HERD_TRY(with_tools, first_user(view.rest));
  }
  for (std::size_t i = 0; i < view.rest.size(); ++i) {
    const Message& message = view.rest[i];
    writer.header(header_of(message.role));
    if (message.role == Role::tool) {
      writer.text(python_json(message.result));
      writer.special(format.version == ChatVersion::json ? eom : eot);
      continue;
    }
    if (!message.written.empty()) {
      writer.tokens(message.written);
      writer.special(eot);
      continue;
    }
    const bool tagged = !message.tool_calls.empty() && format.version == ChatVersion::release;
    if (tagged) writer.special(python_start);
    if (i == with_tools) {
      writer.text(format.texts.tools_in_user);
      print_definitions(writer, *view.tools);
    }
    print_parts(writer, message, i == with_tools ? Trim::ends : Trim::none);
    if (tagged) writer.special(python_end);
    print_json_calls(writer, message.tool_calls);
    writer.special(eot);
  }
  if (options.add_generation_prompt) writer.header("assistant");
  return {};
}

void print_python_calls(Writer& writer, const std::vector<ToolCall>& calls) {
  writer.text("[");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    writer.text((i == 0 ? "" : ", ") + calls[i].name + "(");
    bool first = true;
    for (const auto& argument : calls[i].arguments) {
      const std::string_view name(argument.key().data(), argument.key().size());
      writer.text(
          fmt::format("{}{}=\"{}\"", first ? "" : ", ", name, python_str(argument.value())));
      first = false;
    }
    writer.text(")");
  }
  writer.text("]");
}

// The text of a list's item when it has one.
const json::value* text_of_part(const json::value& part) {
  const json::value* type = find(part, "type");
  const json::value* text = find(part, "text");
  return type != nullptr && *type == "text" && text != nullptr && text->is_string() ? text
                                                                                    : nullptr;
}

// A text, or the texts of a list, as JSON strings. The template drops an object; here it is JSON.
void print_python_result(Writer& writer, const json::value& result) {
  if (!result.is_array()) return writer.text(python_json(result));
  for (const json::value& part : result.get_array())
    if (const json::value* text = text_of_part(part); text != nullptr)
      writer.text(python_json(*text));
}

void print_pythonic(Writer& writer, const View& view, const ChatFormat& format,
                    const RenderOptions& options) {
  const bool tools = view.tools != nullptr && !view.tools->empty();
  const std::string all = view.system == nullptr ? std::string() : view.system->text();
  const std::string_view own = python_strip(all);
  // An empty system message counts as none; the template would drop the tools with it.
  if (tools || !own.empty()) {
    writer.header("system");
    writer.text(own.empty() ? std::string_view(format.texts.default_system) : own);
    if (tools) {
      if (!own.empty()) writer.text(format.texts.tools_in_system);
      writer.text(python_json(*view.tools, definition_indent));
      writer.text(format.texts.tools_after);
    }
    writer.special(eot);
  }
  for (const Message& message : view.rest) {
    writer.header(header_of(message.role));
    if (!message.written.empty()) {
      writer.tokens(message.written);
    } else if (message.role == Role::tool) {
      print_python_result(writer, message.result);
    } else if (!message.tool_calls.empty()) {
      print_parts(writer, message, Trim::none);
      print_python_calls(writer, message.tool_calls);
    } else {
      print_parts(writer, message, message.parts_listed ? Trim::each : Trim::none);
    }
    writer.special(eot);
  }
  if (options.add_generation_prompt) writer.header("assistant");
}

// The template of vLLM's examples: everything is trimmed, and newlines stand around the ends of turns.
Result<void> print_vllm_json(Writer& writer, const View& view, const ChatFormat& format,
                             const RenderOptions& options) {
  const auto print_tools = [&] {
    writer.text(format.texts.tools_in_user);
    print_definitions(writer, *view.tools);
  };
  writer.header("system");
  if (view.tools != nullptr && !options.tools_in_user_message) print_tools();
  if (view.system != nullptr)
    print_parts(writer, *view.system, Trim::each);
  else
    writer.text(format.texts.default_system);
  writer.text("\n");
  writer.special(eot);
  writer.text("\n");

  std::size_t with_tools = view.rest.size();
  if (view.tools != nullptr && options.tools_in_user_message) {
    HERD_TRY(with_tools, first_user(view.rest));
  }
  for (std::size_t i = 0; i < view.rest.size(); ++i) {
    const Message& message = view.rest[i];
    if (message.role == Role::tool || !message.tool_calls.empty()) writer.text("\n");
    writer.header(header_of(message.role));
    if (i == with_tools) print_tools();
    if (!message.written.empty()) {
      writer.tokens(message.written);
    } else if (message.role == Role::tool) {
      if (message.result.is_string()) {
        writer.text(
            python_strip({message.result.get_string().data(), message.result.get_string().size()}));
      } else if (message.result.is_array()) {
        for (const json::value& part : message.result.get_array())
          if (const json::value* text = text_of_part(part); text != nullptr)
            writer.text(python_strip({text->get_string().data(), text->get_string().size()}));
      } else {
        writer.text(python_json(message.result));
      }
    } else {
      print_parts(writer, message, Trim::each);
      print_json_calls(writer, message.tool_calls);
    }
    writer.text("\n");
    writer.special(message.role == Role::tool ? eom : eot);
  }
  if (options.add_generation_prompt) {
    writer.text("\n");
    writer.header("assistant");
  }
  return {};
}

}  // namespace

std::vector<std::int32_t> Prompt::ids(std::int32_t image_token) const {
  std::vector<std::int32_t> all;
  for (const Segment& segment : segments) {
    if (segment.image)
      all.push_back(image_token);
    else
      all.insert(all.end(), segment.ids.begin(), segment.ids.end());
  }
  return all;
}

Result<ChatRenderer> ChatRenderer::create(const Tokenizer& tokenizer, ChatFormat format) {
  std::vector<std::string_view> needed{begin_of_text, header_start, header_end, eot};
  if (format.version == ChatVersion::release)
    needed.insert(needed.end(), {python_start, python_end});
  if (format.version == ChatVersion::json || format.version == ChatVersion::vllm_json)
    needed.push_back(eom);
  for (const std::string_view name : needed)
    if (!tokenizer.special(name))
      return fail(Code::tokenizer_invalid,
                  "the tokenizer has no special token {}, which the {} chat "
                  "format needs",
                  name, name_of(format.version));
  if (format.version == ChatVersion::basic) {
    format.texts.tools_in_system = plain_tools;
    format.texts.tools_in_user = plain_tools;
  }
  return ChatRenderer(tokenizer, std::move(format));
}

Result<Prompt> ChatRenderer::render(const Conversation& conversation,
                                    const RenderOptions& options) const {
  const View view(conversation);
  Writer writer(*tokenizer_);
  writer.special(begin_of_text);
  switch (format_.version) {
    case ChatVersion::basic:
    case ChatVersion::release:
    case ChatVersion::json:
      HERD_TRY_VOID(print_release(writer, view, format_, options));
      break;
    case ChatVersion::vllm_json:
      HERD_TRY_VOID(print_vllm_json(writer, view, format_, options));
      break;
    case ChatVersion::pythonic:
      print_pythonic(writer, view, format_, options);
      break;
  }
  return writer.finish();
}

}  // namespace herd::text
