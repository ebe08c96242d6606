#include "text/chat_template.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/json.h"

namespace herd::text {
namespace {

// One {{ … }} or {% … %} of a template.
struct Tag {
  bool output = false;  // {{ }}, or text that is printed as it stands
  std::string code;     // without white space, the contents of plain literals left out
  std::vector<std::string> literals;  // string literals, escapes resolved
};

std::string join(const std::vector<std::string>& literals) {
  std::string out;
  for (const std::string& literal : literals) out += literal;
  return out;
}

// Reads a string literal that begins at `at` (its quote); moves `at` behind it.
std::optional<std::string> read_literal(std::string_view text, std::size_t& at) {
  const char quote = text[at++];
  std::string out;
  while (at < text.size() && text[at] != quote) {
    char c = text[at++];
    if (c == '\\' && at < text.size()) {
      c = text[at++];
      if (c == 'n')
        c = '\n';
      else if (c == 't')
        c = '\t';
      else if (c == 'r')
        c = '\r';
      else if (c != '\\' && c != '\'' && c != '"')
        out += '\\';
    }
    out += c;
  }
  if (at >= text.size()) return std::nullopt;
  ++at;
  return out;
}

// The text between two tags as it is printed: "-" at a tag takes all white space at that side, and transformers sets
// trim_blocks and lstrip_blocks (the newline behind a block and the indentation before one are not printed).
std::string_view printed_gap(std::string_view gap, bool dash_before, bool block_before,
                             bool dash_after, bool block_after, bool line_start) {
  constexpr std::string_view space = " \t\r\n";
  if (dash_before)
    gap.remove_prefix(std::min(gap.find_first_not_of(space), gap.size()));
  else if (block_before && gap.starts_with('\n'))
    gap.remove_prefix(1);
  if (dash_after) return gap.substr(0, gap.find_last_not_of(space) + 1);
  if (!block_after) return gap;
  const std::size_t indent = gap.find_last_not_of(" \t") + 1;
  const bool whole_line = indent == 0 ? line_start : gap[indent - 1] == '\n';
  return whole_line ? gap.substr(0, indent) : gap;
}

// All tags in order, what is printed between them as outputs; nothing when the text is not well formed.
std::optional<std::vector<Tag>> read_tags(std::string_view text) {
  std::vector<Tag> tags;
  bool dash_before = false;
  bool block_before = false;
  for (std::size_t at = 0, gap_begin = 0;; gap_begin = at) {
    std::size_t open = text.find('{', at);
    while (open != std::string_view::npos && open + 1 < text.size() &&
           std::string_view("{%#").find(text[open + 1]) == std::string_view::npos)
      open = text.find('{', open + 1);
    if (open == std::string_view::npos || open + 1 >= text.size()) open = text.size();
    const bool last = open == text.size();
    const char kind = last ? '#' : text[open + 1];
    const bool dash_after = !last && open + 2 < text.size() && text[open + 2] == '-';
    const std::string_view gap =
        printed_gap(text.substr(gap_begin, open - gap_begin), dash_before, block_before, dash_after,
                    !last && kind != '{', gap_begin == 0 || block_before);
    if (!gap.empty()) tags.push_back({true, "text:" + std::string(gap), {}});
    if (last) return tags;

    const std::string_view close = kind == '{' ? "}}" : kind == '%' ? "%}" : "#}";
    Tag tag{kind == '{', "", {}};
    at = open + 2 + (dash_after ? 1 : 0);
    while (at < text.size() && !text.substr(at).starts_with(close)) {
      const char c = text[at];
      if (kind != '#' && (c == '"' || c == '\'')) {
        auto literal = read_literal(text, at);
        if (!literal) return std::nullopt;
        // Words may differ; keys, roles, separators and tokens may not.
        const bool prose = literal->size() > 16 && literal->find("<|") == std::string::npos;
        const std::string shown = "'" + (prose ? std::string("…") : *literal) + "'";
        if (!prose || !tag.code.ends_with(shown)) tag.code += shown;  // prose may be cut anywhere
        tag.literals.push_back(*std::move(literal));
        continue;
      }
      if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) tag.code += c;
      ++at;
    }
    if (at >= text.size()) return std::nullopt;
    dash_before = text[at - 1] == '-';
    block_before = kind != '{';
    at += 2;
    if (dash_before && tag.code.ends_with('-')) tag.code.pop_back();
    if (kind != '#') tags.push_back(std::move(tag));
  }
}

// FNV-1a of the structure: the code of all tags. Neighbouring outputs of prose count as one: a sentence may be cut
// anywhere.
std::uint64_t structure_of(const std::vector<Tag>& tags) {
  std::uint64_t hash = 0xCBF29CE484222325;
  constexpr std::uint64_t prime = 0x100000001B3;
  bool prose_before = false;
  for (const Tag& tag : tags) {
    const bool prose = tag.output && tag.code == "'…'";
    if (prose && prose_before) continue;
    prose_before = prose;
    for (const char c : (tag.output ? "{" : "%") + tag.code) {
      hash ^= static_cast<unsigned char>(c);
      hash *= prime;
    }
  }
  return hash;
}

bool is_prose(const Tag& tag) {
  return tag.output && !tag.literals.empty() &&
         tag.literals.front().find("<|header_start|>") == std::string::npos &&
         tag.code.find('|') == std::string::npos && tag.code.find('[') == std::string::npos;
}

// The literals printed directly before tag `end`.
std::string printed_before(const std::vector<Tag>& tags, std::size_t end) {
  std::size_t begin = end;
  while (begin > 0 && is_prose(tags[begin - 1])) --begin;
  std::string out;
  for (; begin < end; ++begin) out += join(tags[begin].literals);
  return out;
}

// The literal printed by the first tag behind the first one with this code.
std::string printed_after(const std::vector<Tag>& tags, std::string_view code) {
  for (std::size_t i = 0; i + 1 < tags.size(); ++i)
    if (tags[i].code == code && tags[i + 1].output) return join(tags[i + 1].literals);
  return {};
}

ChatTexts release_texts(const std::vector<Tag>& tags) {
  ChatTexts texts;
  texts.environment = printed_after(tags, "iftoolsisnotnone");
  bool first = true;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (tags[i].output || tags[i].code != "fortintools") continue;
    (first ? texts.tools_in_system : texts.tools_in_user) = printed_before(tags, i);
    first = false;
  }
  return texts;
}

ChatTexts pythonic_texts(const std::vector<Tag>& tags) {
  ChatTexts texts;
  for (const Tag& tag : tags) {
    if (tag.code.starts_with("setsystem_message='") && texts.default_system.empty())
      texts.default_system = join(tag.literals);
    if (tag.code.starts_with("settool_definition=")) texts.tools_after = join(tag.literals);
  }
  texts.tools_in_system = printed_after(tags, "ifuser_provided_system_messageandtools");
  return texts;
}

ChatTexts vllm_json_texts(const std::vector<Tag>& tags) {
  ChatTexts texts;
  for (const Tag& tag : tags) {
    if (tag.code.starts_with("settool_lib_preamble=")) texts.tools_in_user = join(tag.literals);
    if (tag.code.starts_with("setsystem_message=({'content'"))
      texts.default_system = join({tag.literals.begin() + 1, tag.literals.end()});
  }
  return texts;
}

// Structures of the published templates: HF's converter (release), vLLM's examples (the next three); and of
// models/cria's, which is our own (tools/reference/make_cria.py) and prints what the release prints.
struct Known {
  std::uint64_t structure;
  ChatVersion version;
};
constexpr std::array<Known, 5> known_structures{{{0x60e313eb05e2562a, ChatVersion::release},
                                                 {0x3285786530b8aae2, ChatVersion::json},
                                                 {0xffc319603ece6467, ChatVersion::vllm_json},
                                                 {0x5e6d40925ae111aa, ChatVersion::pythonic},
                                                 {0xfd8cc254580f2f48, ChatVersion::release}}};

std::optional<ChatVersion> resembled(std::string_view jinja) {
  const auto has = [&](std::string_view part) {
    return jinja.find(part) != std::string_view::npos;
  };
  if (!has("<|header_start|>") || !has("<|header_end|>") || !has("<|eot|>")) return std::nullopt;
  if (has("tool_definition") && has("user_provided_system_message")) return ChatVersion::pythonic;
  if (has("tool_lib_preamble") && has("render_message")) return ChatVersion::vllm_json;
  if (!has("tools_in_user_message") || !has("\"parameters\": ")) return std::nullopt;
  return has("<|python_start|>") ? ChatVersion::release : ChatVersion::json;
}

ChatTexts texts_of(ChatVersion version, const std::vector<Tag>& tags) {
  switch (version) {
    case ChatVersion::basic:
      return {};
    case ChatVersion::release:
    case ChatVersion::json:
      return release_texts(tags);
    case ChatVersion::vllm_json:
      return vllm_json_texts(tags);
    case ChatVersion::pythonic:
      return pythonic_texts(tags);
  }
  return {};
}

}  // namespace

std::string_view name_of(ChatVersion version) {
  constexpr std::array<std::string_view, 5> names{"basic", "release", "pythonic", "json",
                                                  "vllm_json"};
  return names[static_cast<std::size_t>(version)];
}

ChatFormat recognise_chat_template(std::string_view jinja) {
  const auto tags = read_tags(jinja);
  if (tags) {
    const std::uint64_t structure = structure_of(*tags);
    for (const Known& known : known_structures)
      if (known.structure == structure) return {known.version, texts_of(known.version, *tags), {}};
    if (const auto version = resembled(jinja))
      return {
          *version, texts_of(*version, *tags),
          fmt::format("the chat template is not a published one; it resembles \"{}\" (structure "
                      "{:016x}) and is treated as that",
                      name_of(*version), structure)};
  }
  return {ChatVersion::basic,
          {},
          "the chat template is not known; messages are formatted by Llama 4's plain grammar"};
}

namespace {

// "chat_template" of a parsed file: a text, or a list of {"name", "template"}.
Result<std::optional<std::string>> template_in(const json::value& file, const std::string& path) {
  const json::value* found = find(file, "chat_template");
  if (found == nullptr) return std::optional<std::string>();
  if (found->is_string()) return std::optional(std::string(found->get_string()));
  if (found->is_array())
    for (const json::value& named : found->get_array()) {
      const json::value* name = find(named, "name");
      const json::value* text = find(named, "template");
      if (name != nullptr && name->is_string() && name->get_string() == "default" &&
          text != nullptr && text->is_string())
        return std::optional(std::string(text->get_string()));
    }
  return fail(Code::template_invalid,
              "{}: chat_template is neither a text nor a list with a default", path);
}

}  // namespace

Result<std::string> read_chat_template(const fs::path& directory) {
  constexpr std::uint64_t template_bytes_max = 1 << 20;
  std::error_code ignored;
  const fs::path jinja = directory / "chat_template.jinja";
  if (fs::exists(jinja, ignored)) return read_file(jinja, template_bytes_max);
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    const fs::path path = directory / name;
    if (!fs::exists(path, ignored)) continue;
    HERD_TRY(const json::value file, read_json(path.string()));
    HERD_TRY(auto text, template_in(file, path.string()));
    if (text) return *std::move(text);
  }
  return std::string();
}

Result<ChatFormat> read_chat_format(const fs::path& directory) {
  HERD_TRY(const std::string text, read_chat_template(directory));
  if (!text.empty()) return recognise_chat_template(text);
  return ChatFormat{ChatVersion::basic,
                    {},
                    "no chat template is there; messages are formatted by Llama 4's plain grammar"};
}

}  // namespace herd::text
