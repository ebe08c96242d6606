#include "server/fields.h"

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "base/nearest.h"
#include "text/utf8.h"

namespace herd::server {

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "a list";
    case json::kind::object:
      return "an object";
  }
  return "a value";
}

std::string item_path(std::string_view path, std::size_t index) {
  return fmt::format("{}[{}]", path, index);
}

std::string Fields::path(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

const json::value* Fields::take(std::string_view name) {
  taken_.emplace_back(name);
  const json::value* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void Fields::wrong(std::string_view name, std::string_view code, std::string message) {
  problem_.set(code, std::move(message), path(name));
}

void Fields::wrong_type(std::string_view name, const json::value& found, std::string_view wanted) {
  wrong(name, "invalid_type",
        fmt::format("'{}' is {}, wanted {}", path(name), kind_of(found), wanted));
}

std::optional<double> Fields::number(std::string_view name, double low, double high) {
  const json::value* value = take(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) {
    wrong_type(name, *value, "a number");
    return std::nullopt;
  }
  const double x = value->to_number<double>();
  if (!(x >= low && x <= high)) {
    wrong(name, "out_of_range",
          fmt::format("'{}' is {}, wanted {} to {}", path(name), x, low, high));
    return std::nullopt;
  }
  return x;
}

std::optional<std::int64_t> Fields::integer(std::string_view name, std::int64_t low,
                                            std::int64_t high) {
  const json::value* value = take(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) {
    wrong_type(name, *value, "a whole number");
    return std::nullopt;
  }
  std::int64_t x = 0;
  bool fits = true;
  if (value->is_int64()) {
    x = value->get_int64();
  } else if (value->is_uint64()) {
    fits = false;  // beyond what an int64 holds, and so beyond any range here
  } else {
    const double real = value->get_double();
    constexpr double exact = 9'007'199'254'740'992.0;
    if (!(std::abs(real) <= exact)) {
      fits = false;
    } else if (real != std::floor(real)) {
      wrong_type(name, *value, "a whole number");
      return std::nullopt;
    } else {
      x = static_cast<std::int64_t>(real);
    }
  }
  if (!fits || x < low || x > high) {
    wrong(
        name, "out_of_range",
        fmt::format("'{}' is {}, wanted {} to {}", path(name), json::serialize(*value), low, high));
    return std::nullopt;
  }
  return x;
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const json::value* value = take(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  wrong_type(name, *value, "true or false");
  return std::nullopt;
}

std::optional<std::string> Fields::text(std::string_view name, std::size_t bytes_max) {
  const json::value* value = take(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    wrong_type(name, *value, "a string");
    return std::nullopt;
  }
  if (value->get_string().size() > bytes_max) {
    wrong(name, "string_above_max_length",
          fmt::format("'{}' has {} bytes, at most {}", path(name), value->get_string().size(),
                      bytes_max));
    return std::nullopt;
  }
  return std::string(text_of(*value));
}

std::optional<std::string> Fields::word(std::string_view name,
                                        std::vector<std::string_view> known) {
  const auto value = text(name);
  if (!value || std::ranges::find(known, *value) != known.end()) return value;
  wrong(name, "unsupported_value",
        fmt::format("'{}' is {}, wanted one of {}", path(name), shown(*value),
                    fmt::join(known, ", ")));
  return std::nullopt;
}

const json::object* Fields::object(std::string_view name) {
  const json::value* value = take(name);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) wrong_type(name, *value, "an object");
  return value->if_object();
}

const json::array* Fields::array(std::string_view name, std::size_t items_max) {
  const json::value* value = take(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    wrong_type(name, *value, "a list");
    return nullptr;
  }
  if (value->get_array().size() > items_max) {
    wrong(name, "array_above_max_length",
          fmt::format("'{}' has {} items, at most {}", path(name), value->get_array().size(),
                      items_max));
    return nullptr;
  }
  return &value->get_array();
}

const json::value* Fields::any(std::string_view name) { return take(name); }

void Fields::require(std::string_view name) {
  const json::value* value = object_.if_contains(name);
  if (value == nullptr || value->is_null())
    wrong(name, "missing_required_parameter", fmt::format("'{}' is missing", path(name)));
}

void Fields::refuse(std::string_view name, std::string_view why) {
  const json::value* value = take(name);
  if (value == nullptr || (value->is_bool() && !value->get_bool())) return;
  wrong(name, "unsupported_parameter", fmt::format("'{}' is not supported: {}", path(name), why));
}

void Fields::ignore(std::string_view name) {
  if (take(name) != nullptr) problem_.ignored.push_back(path(name));
}

void Fields::done() {
  for (const auto& member : object_) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::ranges::find(taken_, name) != taken_.end()) continue;
    const std::string short_name = escape_controls(text::replace_invalid_utf8(name.substr(0, 64)));
    if (problem_.accept_unknown) {
      problem_.ignored.push_back(path(short_name));
      continue;
    }
    const std::vector<std::string_view> known(taken_.begin(), taken_.end());
    const std::string hint = did_you_mean(name, known);
    problem_.set("unknown_parameter",
                 fmt::format("'{}' is no parameter here{}{}", path(short_name),
                             hint.empty() ? "" : "; ", hint),
                 path(short_name));
    return;
  }
}

}  // namespace herd::server
