#include "server/constraints.h"

#include <algorithm>
#include <charconv>

#include "base/limits.h"
#include "grammar/limits.h"

namespace herd::server {
namespace {

using Kind = WantedForm::Kind;

// Takes the form unless there is one already.
void ask_for(Fields& fields, std::string_view name, WantedForm& form, WantedForm wanted) {
  wanted.param = fields.path(name);
  if (form.kind != Kind::any)
    return fields.wrong(
        name, "invalid_value",
        fmt::format("'{}' and '{}' both say what form the answer has, wanted at most one",
                    form.param, wanted.param));
  form = std::move(wanted);
}

// A schema as an object, a boolean, or a text with one in it.
void read_schema(Fields& fields, std::string_view name, WantedForm& form) {
  const json::value* value = fields.any(name);
  if (value == nullptr) return;
  WantedForm wanted{.kind = Kind::schema, .schema = *value, .strict = true};
  if (value->is_string()) {
    auto parsed = parse_json(text_of(*value));
    if (!parsed)
      return fields.wrong(name, "invalid_schema",
                          fmt::format("'{}': {}", fields.path(name), parsed.error().message));
    wanted.schema = std::move(*parsed);
  }
  ask_for(fields, name, form, std::move(wanted));
}

void read_text(Fields& fields, std::string_view name, Kind kind, WantedForm& form) {
  if (auto text = fields.text(name))
    ask_for(fields, name, form, {.kind = kind, .text = std::move(*text)});
}

void read_choices(Fields& fields, std::string_view name, WantedForm& form) {
  const json::array* list = fields.array(name, grammar::limits::enum_values_max);
  if (list == nullptr) return;
  WantedForm wanted{.kind = Kind::choice};
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = item_path(fields.path(name), i);
    if (!(*list)[i].is_string() || text_of((*list)[i]).empty())
      return fields.problem().set(
          "invalid_type", fmt::format("'{}' is {}, wanted a text", path, kind_of((*list)[i])),
          path);
    wanted.choices.emplace_back(text_of((*list)[i]));
  }
  if (wanted.choices.empty())
    return fields.wrong(name, "empty_array", fmt::format("'{}' is empty", fields.path(name)));
  ask_for(fields, name, form, std::move(wanted));
}

// The JSON pointer in a message "the schema at #/a/b: …", as the rest of a param: ".a.b".
std::string path_in_schema(std::string_view message) {
  constexpr std::string_view lead = "the schema at #";
  const std::size_t at = message.find(lead);
  if (at == std::string_view::npos) return {};
  std::string_view pointer = message.substr(at + lead.size());
  pointer = pointer.substr(0, pointer.find(':'));
  std::string out;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    const std::string_view rest = pointer.substr(i);
    unsigned code = 0;
    if (rest.starts_with('/')) {
      out += '.';
    } else if (rest.starts_with("~0") || rest.starts_with("~1")) {
      out += rest[1] == '0' ? '~' : '/';
      ++i;
    } else if (rest.starts_with('%') && rest.size() > 2 &&
               std::from_chars(rest.data() + 1, rest.data() + 3, code, 16).ptr == rest.data() + 3) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += rest.front();
    }
  }
  return out;
}

Result<engine::AnswerGrammarPtr> make(engine::Grammars& grammars, const WantedForm& form) {
  switch (form.kind) {
    case Kind::object:
      return grammars.json_object();
    case Kind::schema:
      return grammars.json_schema(form.schema, form.strict);
    case Kind::regex:
      return grammars.regex(form.text);
    case Kind::gbnf:
      return grammars.gbnf(form.text);
    case Kind::choice:
      return grammars.choice(form.choices);
    case Kind::any:
      break;
  }
  return engine::AnswerGrammarPtr();
}

// The tools that may be called, and whether and how.
Result<engine::AnswerGrammarPtr> make_calls(engine::Grammars& grammars, const WantedForm& form,
                                            const WantedCalls& calls,
                                            const std::vector<grammar::Tool>& tools) {
  const bool must = calls.choice == WantedCalls::Choice::must;
  const bool held = std::ranges::any_of(tools, &grammar::Tool::strict);
  if (!must && !held && form.kind == Kind::any) return engine::AnswerGrammarPtr();
  grammar::ToolCalls wanted{.tools = tools, .must = must, .several = !calls.one};
  if (!must && form.kind == Kind::object) wanted.document = json::object{{"type", "object"}};
  if (!must && form.kind == Kind::schema) wanted.document = form.schema;
  wanted.document_strict = form.strict;
  wanted.document_place = form.param;
  return grammars.tool_calls(wanted);
}

ApiError told(const Error& error, const std::string& param) {
  ApiError out = api_error(error, param);
  // The place in front of "the schema at" is the tool's, or else the form's.
  const std::size_t lead = error.message.find(": the schema at #");
  if (lead != std::string::npos && lead > 0) out.param = error.message.substr(0, lead);
  out.param += path_in_schema(error.message);
  return out;
}

}  // namespace

void read_response_format(Fields& fields, WantedForm& form) {
  const json::object* format = fields.object("response_format");
  if (format == nullptr) return;
  Fields inner(*format, "response_format", fields.problem());
  inner.require("type");
  const auto type = inner.word("type", {"text", "json_object", "json_schema"});
  if (type == "json_object") {
    ask_for(fields, "response_format", form, {.kind = Kind::object});
  } else if (type == "json_schema") {
    inner.require("json_schema");
    if (const json::object* described = inner.object("json_schema")) {
      Fields schema(*described, inner.path("json_schema"), fields.problem());
      schema.require("name");
      schema.text("name", 64);
      schema.text("description");
      const bool strict = schema.boolean("strict").value_or(false);
      // Without a schema any JSON object will do.
      if (schema.has("schema"))
        read_schema(schema, "schema", form);
      else
        ask_for(schema, "schema", form, {.kind = Kind::object});
      form.strict = strict;
      schema.done();
    }
  }
  inner.done();
}

void read_foreign_forms(Fields& fields, WantedForm& form) {
  for (const char* name : {"guided_json", "json_schema"}) read_schema(fields, name, form);
  for (const char* name : {"guided_regex", "regex"}) read_text(fields, name, Kind::regex, form);
  for (const char* name : {"guided_grammar", "grammar", "ebnf"})
    read_text(fields, name, Kind::gbnf, form);
  read_choices(fields, "guided_choice", form);
  for (const char* name : {"guided_decoding_backend", "guided_whitespace_pattern"})
    fields.ignore(name);
  const json::object* outputs = fields.object("structured_outputs");
  if (outputs == nullptr) return;
  Fields inner(*outputs, "structured_outputs", fields.problem());
  read_schema(inner, "json", form);
  read_text(inner, "regex", Kind::regex, form);
  read_text(inner, "grammar", Kind::gbnf, form);
  read_choices(inner, "choice", form);
  if (inner.boolean("json_object").value_or(false))
    ask_for(inner, "json_object", form, {.kind = Kind::object});
  for (const char* name : {"whitespace_pattern", "disable_fallback", "disable_any_whitespace",
                           "disable_additional_properties"})
    inner.ignore(name);
  inner.refuse("structural_tag", "tools with 'strict' do this");
  inner.done();
}

void read_tool_choice(Fields& fields, std::string_view name, WantedCalls& wanted) {
  using Choice = WantedCalls::Choice;
  const json::value* choice = fields.any(name);
  if (choice == nullptr) return;
  if (choice->is_string()) {
    const std::string_view word = text_of(*choice);
    if (word == "auto") return;
    if (word != "none" && word != "required")
      return fields.wrong(
          name, "unsupported_value",
          fmt::format("'{}' is {}, wanted none, auto or required", name, shown(word)));
    wanted.choice = word == "none" ? Choice::none : Choice::must;
    return;
  }
  if (!choice->is_object())
    return fields.wrong(
        name, "invalid_type",
        fmt::format("'{}' is {}, wanted a string or an object", name, kind_of(*choice)));
  wanted.choice = Choice::must;
  wanted.one = true;
  Fields inner(choice->get_object(), std::string(name), fields.problem());
  if (name == "function_call") {
    inner.require("name");
    wanted.only.push_back(inner.text("name", 64).value_or(""));
    return inner.done();
  }
  inner.require("type");
  const auto type = inner.word("type", {"function", "allowed_tools", "custom"});
  const auto named = [&](Fields& of) {
    of.require("function");
    if (const json::object* function = of.object("function")) {
      Fields each(*function, of.path("function"), fields.problem());
      each.require("name");
      wanted.only.push_back(each.text("name", 64).value_or(""));
      each.done();
    }
  };
  if (type == "function") named(inner);
  if (type == "custom")
    inner.wrong("type", "unsupported_value", "custom tools are not supported, functions are");
  if (type == "allowed_tools") {
    wanted.one = false;
    inner.require("allowed_tools");
    if (const json::object* allowed = inner.object("allowed_tools")) {
      Fields each(*allowed, inner.path("allowed_tools"), fields.problem());
      each.require("mode");
      each.require("tools");
      if (each.word("mode", {"auto", "required"}) == "auto") wanted.choice = Choice::may;
      const json::array* list = each.array("tools", limits::tools_max);
      for (std::size_t i = 0; list != nullptr && i < list->size() && !fields.problem(); ++i) {
        const std::string path = item_path(each.path("tools"), i);
        if (!(*list)[i].is_object()) {
          fields.problem().set("invalid_type", fmt::format("'{}' is no object", path), path);
          break;
        }
        Fields tool((*list)[i].get_object(), path, fields.problem());
        tool.word("type", {"function"});
        named(tool);
        tool.done();
      }
      if (wanted.only.empty() && !fields.problem())
        each.wrong("tools", "empty_array", "'tools' names no tool");
      each.done();
    }
  }
  inner.done();
}

ApiResult<> constrain(const Service& service, const WantedForm& form, const WantedCalls& calls,
                      ReadConversation& read, engine::Request& request,
                      std::vector<std::string>& ignored) {
  using Choice = WantedCalls::Choice;
  if (calls.choice == Choice::none) {
    read.conversation.tools.reset();
    read.tools.clear();
    read.described.clear();
  }
  for (const std::string& name : calls.only)
    if (std::ranges::find(read.tools, name) == read.tools.end())
      return refuse(
          400, "invalid_value",
          fmt::format("'tool_choice' names {}, which is not among the tools", shown(name)),
          "tool_choice");
  if (!calls.only.empty()) {
    const auto left_out = [&](const std::string& name) {
      return std::ranges::find(calls.only, name) == calls.only.end();
    };
    std::erase_if(read.tools, left_out);
    std::erase_if(read.described, [&](const auto& tool) { return left_out(tool.name); });
  }
  if (calls.choice == Choice::must && read.described.empty())
    return refuse(400, "invalid_value", "'tool_choice' demands a call, and there are no tools",
                  "tool_choice");
  const bool with_tools = !read.described.empty();
  const bool document = form.kind == Kind::object || form.kind == Kind::schema;
  if (with_tools && form.kind != Kind::any && !document)
    return refuse(400, "invalid_value",
                  fmt::format("'{}' cannot be combined with tools; a JSON schema can", form.param),
                  form.param);
  engine::Grammars& grammars = service.grammars();
  auto grammar =
      with_tools ? make_calls(grammars, form, calls, read.described) : make(grammars, form);
  if (!grammar) return std::unexpected(told(grammar.error(), form.param));
  if (*grammar)
    for (const std::string& place : (*grammar)->ignored)
      ignored.push_back((with_tools ? "" : form.param) + place);
  request.options.grammar = std::move(*grammar);
  return {};
}

}  // namespace herd::server
