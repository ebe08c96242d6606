#include "text/tool_call_stream.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/limits.h"
#include "text/python_call.h"

namespace herd::text {
namespace {

bool is_finite(const json::value& value) {
  if (const double* number = value.if_double()) return std::isfinite(*number);
  if (const json::array* array = value.if_array()) return std::ranges::all_of(*array, is_finite);
  if (const json::object* object = value.if_object())
    return std::ranges::all_of(*object,
                               [](const auto& member) { return is_finite(member.value()); });
  return true;
}

// As parse_json; but where a name comes twice the last one counts, as JavaScript and Python read it: no grammar keeps a
// model from repeating one in an object that may hold anything.
Result<json::value> parse_written(std::string_view text) {
  Result<json::value> strict = parse_json(text);
  if (strict) return strict;
  json::parse_options options;
  options.max_depth = limits::json_depth_max;
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error || !is_finite(value)) return strict;
  return value;
}

constexpr std::string_view space = " \t\r\n";
constexpr std::string_view tag = "<function=";
constexpr std::string_view end_tag = "</function>";
constexpr std::array<std::string_view, 6> call_keys{"name",       "type",      "function",
                                                    "parameters", "arguments", "id"};

std::size_t skip(std::string_view text, std::size_t at, std::string_view what) {
  return std::min(text.find_first_not_of(what, at), text.size());
}

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

bool is_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '-' || c == '.';
}

// What an object may be that stands for arguments: an object, a text with one in it, or nothing.
std::optional<json::object> arguments_of(const json::value* value) {
  if (value == nullptr) return json::object();
  if (value->is_object()) return value->get_object();
  if (!value->is_string()) return std::nullopt;
  auto parsed = parse_written(view(value->get_string()));
  if (!parsed || !parsed->is_object()) return std::nullopt;
  return std::move(parsed->get_object());
}

}  // namespace

std::vector<ToolCallEvent> ToolCallStream::push(std::string_view piece) {
  std::vector<ToolCallEvent> out;
  if (names_.empty()) {
    if (!piece.empty()) out.push_back({std::string(piece), {}, {}});
    return out;
  }
  held_ += piece;
  take(out, false);
  return out;
}

std::vector<ToolCallEvent> ToolCallStream::finish() {
  std::vector<ToolCallEvent> out;
  take(out, true);
  return out;
}

void ToolCallStream::take(std::vector<ToolCallEvent>& out, bool last) {
  const auto say = [&](std::size_t bytes) {
    if (bytes == 0) return;
    if (out.empty() || out.back().is_call()) out.emplace_back();
    out.back().text.append(held_, 0, bytes);
    held_.erase(0, bytes);
  };
  while (!held_.empty()) {
    if (!line_start_) {
      const std::size_t newline = held_.find('\n');
      say(newline == std::string::npos ? held_.size() : newline + 1);
      line_start_ = newline != std::string::npos;
      continue;
    }
    const std::size_t begin = skip(held_, 0, after_call_ ? " \t\r\n,;" : space);
    if (begin == held_.size()) {
      if (!last) return;
      if (after_call_) held_.clear();  // what separates a call from nothing
      return say(held_.size());
    }
    std::vector<ToolCallEvent> calls;
    std::size_t length = 0;
    const Verdict verdict = judge(std::string_view(held_).substr(begin), calls, length);
    if (verdict == Verdict::more && !last) return;
    scan_ = {};
    if (verdict == Verdict::calls) {
      std::ranges::move(calls, std::back_inserter(out));
      held_.erase(0, begin + length);
      after_call_ = true;
      continue;
    }
    say(begin);
    line_start_ = after_call_ = false;
  }
}

ToolCallStream::Verdict ToolCallStream::judge(std::string_view candidate,
                                              std::vector<ToolCallEvent>& calls,
                                              std::size_t& length) {
  switch (candidate.front()) {
    case '{':
      return judge_object(candidate, calls, length);
    case '[':
      return judge_list(candidate, calls, length);
    case '<':
      return judge_tag(candidate, calls, length);
    default:
      return judge_builtin(candidate, calls, length);
  }
}

bool ToolCallStream::may_become_call(std::string_view candidate) const {
  // Only the first member is looked at: after it, the whole object decides.
  std::size_t at = skip(candidate, 1, space);
  if (at == candidate.size()) return true;
  if (candidate[at] != '"') return false;
  const std::size_t end = candidate.find('"', at + 1);
  const std::string_view key = candidate.substr(at + 1, end == candidate.npos ? end : end - at - 1);
  if (end == candidate.npos)
    return std::ranges::any_of(call_keys, [&](auto known) { return known.starts_with(key); });
  if (std::ranges::find(call_keys, key) == call_keys.end()) return false;
  if (key != "name") return true;
  at = skip(candidate, end + 1, space);
  if (at == candidate.size()) return true;
  if (candidate[at] != ':') return false;
  at = skip(candidate, at + 1, space);
  if (at == candidate.size()) return true;
  if (candidate[at] != '"') return false;
  const std::size_t name_end = candidate.find('"', at + 1);
  return name_end == candidate.npos ? may_become_known(candidate.substr(at + 1))
                                    : known(candidate.substr(at + 1, name_end - at - 1));
}

ToolCallStream::Verdict ToolCallStream::judge_object(std::string_view candidate,
                                                     std::vector<ToolCallEvent>& calls,
                                                     std::size_t& length) {
  if (!may_become_call(candidate)) return Verdict::no;
  if (!find_end(candidate, "\"")) return Verdict::more;
  length = scan_.at;
  const auto parsed = parse_written(candidate.substr(0, length));
  if (!parsed) return Verdict::no;
  auto call = call_of(*parsed);
  if (!call) return Verdict::no;
  calls.push_back(std::move(*call));
  return Verdict::calls;
}

ToolCallStream::Verdict ToolCallStream::judge_list(std::string_view candidate,
                                                   std::vector<ToolCallEvent>& calls,
                                                   std::size_t& length) {
  const std::size_t at = skip(candidate, 1, space);
  if (at == candidate.size()) return Verdict::more;
  const bool of_objects = candidate[at] == '{';
  if (of_objects) {
    if (!may_become_call(candidate.substr(at))) return Verdict::no;
  } else {
    std::size_t end = at;
    while (end < candidate.size() && is_name(candidate[end])) ++end;
    const std::string_view name = candidate.substr(at, end - at);
    if (end == candidate.size()) return may_become_known(name) ? Verdict::more : Verdict::no;
    if (!known(name)) return Verdict::no;
  }
  if (!find_end(candidate, of_objects ? "\"" : "\"'")) return Verdict::more;
  length = scan_.at;
  if (!of_objects) {
    auto parsed = parse_python_calls(candidate.substr(0, length));
    if (!parsed) return Verdict::no;
    for (PythonCall& call : *parsed) {
      if (!known(call.name)) return Verdict::no;
      calls.push_back({{}, std::move(call.name), std::move(call.arguments)});
    }
    return Verdict::calls;
  }
  const auto parsed = parse_written(candidate.substr(0, length));
  if (!parsed || !parsed->is_array()) return Verdict::no;
  for (const json::value& value : parsed->get_array()) {
    auto call = call_of(value);
    if (!call) return Verdict::no;
    calls.push_back(std::move(*call));
  }
  return Verdict::calls;
}

ToolCallStream::Verdict ToolCallStream::judge_tag(std::string_view candidate,
                                                  std::vector<ToolCallEvent>& calls,
                                                  std::size_t& length) {
  if (candidate.size() <= tag.size())
    return tag.starts_with(candidate) ? Verdict::more : Verdict::no;
  if (!candidate.starts_with(tag)) return Verdict::no;
  const std::size_t name_end = candidate.find('>', tag.size());
  const std::string_view name =
      candidate.substr(tag.size(), name_end == candidate.npos ? name_end : name_end - tag.size());
  if (name_end == candidate.npos) return may_become_known(name) ? Verdict::more : Verdict::no;
  if (!known(name)) return Verdict::no;
  const std::size_t end = candidate.find(end_tag, std::max(scan_.at, name_end));
  if (end == candidate.npos) {
    scan_.at = candidate.size() - std::min(candidate.size(), end_tag.size());
    return Verdict::more;
  }
  length = end + end_tag.size();
  std::string_view inside = candidate.substr(name_end + 1, end - name_end - 1);
  inside.remove_prefix(skip(inside, 0, space));
  ToolCallEvent call{{}, std::string(name), {}};
  if (!inside.empty()) {
    auto parsed = parse_written(inside);
    if (!parsed || !parsed->is_object()) return Verdict::no;
    call.arguments = std::move(parsed->get_object());
  }
  calls.push_back(std::move(call));
  return Verdict::calls;
}

ToolCallStream::Verdict ToolCallStream::judge_builtin(std::string_view candidate,
                                                      std::vector<ToolCallEvent>& calls,
                                                      std::size_t& length) {
  for (const std::string& name : names_) {
    const std::string opening = name + ".call(";
    if (opening.size() > candidate.size()) {
      if (opening.starts_with(candidate)) return Verdict::more;
      continue;
    }
    if (!candidate.starts_with(opening)) continue;
    if (!find_end(candidate, "\"'")) return Verdict::more;
    length = scan_.at;
    const std::size_t bracket = opening.size() - 1;
    auto call = parse_python_call(name + std::string(candidate.substr(bracket, length - bracket)));
    if (!call) return Verdict::no;
    calls.push_back({{}, std::move(call->name), std::move(call->arguments)});
    return Verdict::calls;
  }
  return Verdict::no;
}

bool ToolCallStream::find_end(std::string_view candidate, std::string_view quotes) {
  while (scan_.at < candidate.size()) {
    const char c = candidate[scan_.at++];
    if (scan_.quote != 0) {
      if (scan_.escaped) {
        scan_.escaped = false;
      } else if (c == '\\') {
        scan_.escaped = true;
      } else if (c == scan_.quote) {
        scan_.quote = 0;
      }
    } else if (quotes.contains(c)) {
      scan_.quote = c;
    } else if (c == '{' || c == '[' || c == '(') {
      ++scan_.depth;
    } else if (c == '}' || c == ']' || c == ')') {
      if (--scan_.depth <= 0) return true;
    }
  }
  return false;
}

bool ToolCallStream::known(std::string_view name) const {
  return std::ranges::find(names_, name) != names_.end();
}

bool ToolCallStream::may_become_known(std::string_view name) const {
  return std::ranges::any_of(names_, [&](const auto& each) { return each.starts_with(name); });
}

std::optional<ToolCallEvent> ToolCallStream::call_of(const json::value& value) const {
  if (!value.is_object()) return std::nullopt;
  for (const auto& member : value.get_object())
    if (std::ranges::find(call_keys, std::string_view(member.key().data(), member.key().size())) ==
        call_keys.end())
      return std::nullopt;
  const json::value* function = find(value, "function");
  if (function != nullptr && function->is_object()) return call_of(*function);
  const json::value* name = find(value, "name");
  if (name == nullptr) name = function;  // {"type": "function", "function": "f", …}
  if (name == nullptr || !name->is_string() || !known(view(name->get_string())))
    return std::nullopt;
  const json::value* said = find(value, "parameters");
  auto arguments = arguments_of(said != nullptr ? said : find(value, "arguments"));
  if (!arguments) return std::nullopt;
  return ToolCallEvent{{}, std::string(view(name->get_string())), std::move(*arguments)};
}

}  // namespace herd::text
