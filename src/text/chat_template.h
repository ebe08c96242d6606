// Which of the published chat formats a checkpoint's Jinja template is (spec/llama4.md 4.5). Templates are not run:
// their structure is recognised and the wording they carry is read out of their string literals, so a checkpoint that
// only words its instructions differently is rendered exactly as its own template would.
#pragma once

#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

namespace herd::text {

enum class ChatVersion : std::uint8_t {
  basic,      // the grammar alone (spec 4.4); what a checkpoint without a known template gets
  release,    // April 2025: JSON calls, <|python_start|> before them
  pythonic,   // late April 2025: calls as a Python list
  json,       // the release without python tags; tool results end with <|eom|> (spec 4.5)
  vllm_json,  // the template in vLLM's examples: JSON calls, always a system message
};

std::string_view name_of(ChatVersion version);

// The wording around tool definitions.
struct ChatTexts {
  std::string environment;  // release, json: first line of a system message when tools are given
  std::string tools_in_system;  // before the definitions in the system message
  std::string tools_in_user;  // before them in the first user message; vllm_json: wherever they are
  std::string default_system;  // pythonic, vllm_json: the system message when the caller gives none
  std::string tools_after;     // pythonic: behind the definitions
};

struct ChatFormat {
  ChatVersion version = ChatVersion::basic;
  ChatTexts texts;
  std::string note;  // empty when the template is exactly a known one; else what a user should know
};

// Recognises a template's text. Never fails: an unknown one gives ChatVersion::basic and a note.
ChatFormat recognise_chat_template(std::string_view jinja);

// The text of a model directory's template, from the same files; empty when there is none.
Result<std::string> read_chat_template(const fs::path& directory);

// The template of a model directory: chat_template.jinja, else chat_template.json, else tokenizer_config.json (its
// "chat_template", a text or the one named "default" of a list). No template: basic, with a note.
// Fails with template_invalid, io_failed or invalid_json when a file is there and cannot be read.
Result<ChatFormat> read_chat_format(const fs::path& directory);

}  // namespace herd::text
