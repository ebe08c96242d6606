#include "llama4/config_fields.h"

#include <algorithm>
#include <cmath>

namespace herd::llama4 {

std::unexpected<Error> config_error(const Problems& problems) {
  // A list of ten thousand bad numbers is one mistake, not ten thousand lines.
  constexpr std::size_t shown_max = 40;
  if (problems.size() == 1) return fail(Code::config_invalid, "{}", problems.front());
  std::string text = fmt::format("{} problems", problems.size());
  for (std::size_t i = 0; i < std::min(problems.size(), shown_max); ++i)
    text += fmt::format("\n  {}. {}", i + 1, problems[i]);
  if (problems.size() > shown_max)
    text += fmt::format("\n  ... {} more", problems.size() - shown_max);
  return fail(Code::config_invalid, "{}", text);
}

std::optional<std::int64_t> whole_number(const json::value& value) {
  if (const std::int64_t* number = value.if_int64()) return *number;
  if (const double* number = value.if_double()) {
    constexpr double exact_max = 9007199254740992.0;  // 2^53
    if (*number >= -exact_max && *number <= exact_max && std::floor(*number) == *number)
      return static_cast<std::int64_t>(*number);
  }
  return std::nullopt;  // uint64 is what does not fit int64
}

std::string shown_json(const json::value& value) {
  if (const json::string* text = value.if_string()) return shown({text->data(), text->size()});
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  if (const double* number = value.if_double()) return fmt::format("{}", *number);
  return json::serialize(value);
}

const json::value* Fields::find(std::string_view name) const {
  return object_ == nullptr ? nullptr : herd::find(*object_, name);
}

bool Fields::is_null(std::string_view name) const {
  const json::object* object = object_ == nullptr ? nullptr : object_->if_object();
  if (object == nullptr) return false;
  const json::value* member = object->if_contains(json::string_view(name.data(), name.size()));
  return member != nullptr && member->is_null();
}

std::int64_t Fields::integer(std::string_view name, std::int64_t min, std::int64_t max,
                             std::optional<std::int64_t> fallback) {
  const json::value* value = find(name);
  if (value == nullptr) {
    if (!fallback) problem(name, "is missing");
    return fallback.value_or(min);
  }
  const auto number = whole_number(*value);
  if (number && *number >= min && *number <= max) return *number;
  problem(name,
          fmt::format("is {}, wanted a whole number from {} to {}", shown_json(*value), min, max));
  return fallback.value_or(min);
}

double Fields::positive(std::string_view name, std::optional<double> fallback) {
  const json::value* value = find(name);
  if (value == nullptr) {
    if (!fallback) problem(name, "is missing");
    return fallback.value_or(1.0);
  }
  if (value->is_number()) {
    const double number = value->to_number<double>();
    if (std::isfinite(number) && number > 0) return number;
  }
  problem(name, fmt::format("is {}, wanted a finite number above 0", shown_json(*value)));
  return fallback.value_or(1.0);
}

double Fields::number(std::string_view name, double fallback) {
  const json::value* value = find(name);
  if (value == nullptr) return fallback;
  if (value->is_number() && std::isfinite(value->to_number<double>()))
    return value->to_number<double>();
  problem(name, fmt::format("is {}, wanted a finite number", shown_json(*value)));
  return fallback;
}

bool Fields::boolean(std::string_view name, bool fallback) {
  const json::value* value = find(name);
  if (value == nullptr) return fallback;
  if (const bool* truth = value->if_bool()) return *truth;
  if (value->is_number()) return value->to_number<double>() != 0;
  problem(name, fmt::format("is {}, wanted true or false", shown_json(*value)));
  return fallback;
}

std::string Fields::text(std::string_view name, std::string_view fallback) {
  const json::value* value = find(name);
  if (value == nullptr) return std::string(fallback);
  if (const json::string* text = value->if_string()) return {text->data(), text->size()};
  problem(name, fmt::format("is {}, wanted a text", shown_json(*value)));
  return std::string(fallback);
}

std::optional<std::vector<std::int64_t>> Fields::integers(std::string_view name, std::int64_t min,
                                                          std::int64_t max) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  const json::array* list = value->if_array();
  if (list == nullptr) {
    problem(name, fmt::format("is {}, wanted a list", shown_json(*value)));
    return std::nullopt;
  }
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json::value& element = (*list)[i];
    const bool* truth = element.if_bool();
    const auto number =
        truth != nullptr ? std::optional<std::int64_t>(*truth) : whole_number(element);
    const bool fits = number && *number >= min && *number <= max;
    if (!fits)
      problem(name, fmt::format("has {} at position {}, wanted whole numbers from {} to {}",
                                shown_json(element), i, min, max));
    out.push_back(fits ? *number : min);
  }
  return out;
}

std::optional<std::vector<std::string>> Fields::texts(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  const json::array* list = value->if_array();
  if (list == nullptr) {
    problem(name, fmt::format("is {}, wanted a list", shown_json(*value)));
    return std::nullopt;
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json::string* text = (*list)[i].if_string();
    if (text == nullptr)
      problem(name, fmt::format("has {} at position {}, wanted texts", shown_json((*list)[i]), i));
    out.emplace_back(text == nullptr ? std::string() : std::string(text->data(), text->size()));
  }
  return out;
}

void Fields::problem(std::string_view name, std::string_view what) {
  problems_.push_back(fmt::format("{} {}", path(name), what));
  failed_.emplace_back(name);
}

bool Fields::passed(std::initializer_list<std::string_view> names) const {
  return std::ranges::none_of(names, [&](std::string_view name) {
    return std::ranges::find(failed_, name) != failed_.end();
  });
}

}  // namespace herd::llama4
