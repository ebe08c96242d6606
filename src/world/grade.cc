#include "world/grade.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "world/turns.h"

namespace herd::world {
namespace {

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
         (byte >= 'A' && byte <= 'Z') || byte >= 0x80;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(space), text.size());
  return text.substr(begin, text.find_last_not_of(space) + 1 - begin);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

// As whole words, whatever the case: "art" is not in "party".
bool has_words(std::string_view text, std::string_view words) {
  if (words.empty()) return true;
  for (std::size_t at = 0; at + words.size() <= text.size(); ++at) {
    const std::size_t end = at + words.size();
    const bool begins = at == 0 || !is_word(text[at - 1]) || !is_word(words.front());
    const bool ends = end == text.size() || !is_word(text[end]) || !is_word(words.back());
    if (begins && ends && equal_ignoring_case(text.substr(at, words.size()), words)) return true;
  }
  return false;
}

std::string_view without_stop(std::string_view text) {
  text = trimmed(text);
  if (text.ends_with('.')) text.remove_suffix(1);
  return text;
}

std::optional<double> first_number(std::string_view text) {
  const std::size_t digit = text.find_first_of("0123456789");
  if (digit == std::string_view::npos) return std::nullopt;
  const bool negative = digit > 0 && text[digit - 1] == '-';
  const char* begin = text.data() + digit - (negative ? 1 : 0);
  double value = 0;
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// Python's spelling is a special case: 'a' for "a", True, False, None. One literal, read by the JSON parser.
std::optional<json::value> literal_of(std::string_view text) {
  text = trimmed(text);
  if (text == "True") return json::value(true);
  if (text == "False") return json::value(false);
  if (text == "None") return json::value(nullptr);
  if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'')
    return json::value(std::string(text.substr(1, text.size() - 2)));
  auto value = parse_json(text);
  return value ? std::optional(*std::move(value)) : std::nullopt;
}

// Where the run that begins at `at` ends: at the first of `stops` outside quotes and brackets.
std::size_t end_of_run(std::string_view text, std::size_t at, std::string_view stops) {
  int depth = 0;
  for (char quote = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == '\\')
        ++at;
      else if (c == quote)
        quote = 0;
      continue;
    }
    if (depth == 0 && stops.find(c) != std::string_view::npos) return at;
    if (c == '"' || c == '\'') quote = c;
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
  }
  return std::min(at, text.size());
}

// name(key=literal, ...)
std::optional<json::object> python_call(std::string_view text) {
  text = trimmed(text);
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || open == 0 || text.back() != ')') return std::nullopt;
  json::object parameters;
  const std::string_view inside = text.substr(open + 1, text.size() - open - 2);
  for (std::size_t at = 0; at < inside.size();) {
    const std::size_t end = end_of_run(inside, at, ",");
    const std::string_view argument = inside.substr(at, end - at);
    const std::size_t equals = argument.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    auto value = literal_of(argument.substr(equals + 1));
    if (!value) return std::nullopt;
    parameters[std::string(trimmed(argument.substr(0, equals)))] = *std::move(value);
    at = end + 1;
  }
  return json::object{{"name", std::string(text.substr(0, open))}, {"parameters", parameters}};
}

std::optional<json::array> python_calls(std::string_view text) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return std::nullopt;
  json::array calls;
  const std::string_view inside = text.substr(1, text.size() - 2);
  for (std::size_t at = 0; at < inside.size();) {
    const std::size_t end = end_of_run(inside, at, ",");
    auto call = python_call(inside.substr(at, end - at));
    if (!call) return std::nullopt;
    calls.push_back(*std::move(call));
    at = end + 1;
  }
  return calls.empty() ? std::nullopt : std::optional(std::move(calls));
}

// {"name": ..., "parameters": {...}} one after the other; ";" and "," between them and a "type" are forgiven.
std::optional<json::array> json_calls(std::string_view text) {
  json::array calls;
  for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
    if (!calls.empty() && (text.front() == ';' || text.front() == ',')) {
      text.remove_prefix(1);
      continue;
    }
    if (text.front() != '{') return std::nullopt;
    const std::size_t end = end_of_run(text, 1, "}");
    if (end >= text.size()) return std::nullopt;
    const auto value = parse_json(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
    if (!value) return std::nullopt;
    const json::value* name = find(*value, "name");
    const json::value* parameters = find(*value, "parameters");
    if (name == nullptr || !name->is_string() || parameters == nullptr || !parameters->is_object())
      return std::nullopt;
    calls.push_back(json::object{{"name", *name}, {"parameters", *parameters}});
  }
  return calls.empty() ? std::nullopt : std::optional(std::move(calls));
}

// boost::json compares objects whatever their order; the calls are compared as a bag.
bool same_calls(const json::array& a, const json::array& b) {
  return a.size() == b.size() && std::is_permutation(a.begin(), a.end(), b.begin());
}

bool right_number(std::string_view reply, std::string_view wanted) {
  const auto given = first_number(reply), right = first_number(wanted);
  return given && right && std::abs(*given - *right) <= 0.05 * std::abs(*right) + 1e-9;
}

std::string without_special_tokens(std::string_view reply) {
  std::string out;
  for (std::size_t at = 0; at < reply.size();) {
    const std::size_t end = reply.substr(at).starts_with("<|") ? reply.find("|>", at) : reply.npos;
    if (end != reply.npos)
      at = end + 2;
    else
      out += reply[at++];
  }
  return out;
}

}  // namespace

std::optional<json::array> calls_in(std::string_view reply) {
  const std::string text = without_special_tokens(reply);
  const std::string_view calls = trimmed(text);
  return calls.starts_with('[') ? python_calls(calls) : json_calls(calls);
}

bool is_right(const Sample& sample, std::string_view reply) {
  const auto any = [&](auto&& matches) { return std::ranges::any_of(sample.accepted, matches); };
  switch (sample.check) {
    case Check::none:
      return false;
    case Check::exact:
      return any([&](const std::string& wanted) { return trimmed(reply) == trimmed(wanted); });
    case Check::contains:
      return any([&](const std::string& wanted) { return has_words(reply, wanted); }) &&
             std::ranges::none_of(sample.rejected,
                                  [&](const std::string& bad) { return has_words(reply, bad); });
    case Check::number:
      return any([&](const std::string& wanted) { return right_number(reply, wanted); });
    case Check::tool_calls: {
      const auto given = calls_in(reply);
      const auto wanted = parse_json(sample.accepted.at(0));
      return given && wanted && wanted->is_array() && same_calls(*given, wanted->get_array());
    }
    case Check::json: {
      const auto given = parse_json(trimmed(reply)), wanted = parse_json(sample.accepted.at(0));
      return given && wanted && *given == *wanted;
    }
    case Check::conclusion:
      if (const std::size_t end = reply.rfind(": "); end != reply.npos)
        reply.remove_prefix(end + 2);
      [[fallthrough]];
    case Check::one_of:
      return any([&](const std::string& wanted) {
        return equal_ignoring_case(without_stop(reply), without_stop(wanted));
      });
  }
  return false;
}

}  // namespace herd::world
