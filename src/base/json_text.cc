#include "base/json_text.h"

#include <fmt/format.h>

#include <cmath>

namespace herd {
namespace {

constexpr std::size_t columns_max = 100;

std::string quoted(std::string_view key) { return json::serialize(json::value(key)); }

// Boost.JSON writes 0.5 as 5E-1, which is right and no pleasure to read. A whole number keeps its ".0": readers that
// tell floats from integers (Python, Boost.JSON) get back what was put in.
void append_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  const std::string text = fmt::format("{}", number);
  out += text;
  if (text.find_first_of(".e") == std::string::npos) out += ".0";
}

// The value on one line.
void append_flat(std::string& out, const json::value& value) {
  if (const json::object* object = value.if_object()) {
    const char* separator = "{";
    for (const auto& member : *object) {
      out += separator + quoted(member.key()) + ": ";
      append_flat(out, member.value());
      separator = ", ";
    }
    out += object->empty() ? "{}" : "}";
  } else if (const json::array* array = value.if_array()) {
    const char* separator = "[";
    for (const json::value& element : *array) {
      out += separator;
      append_flat(out, element);
      separator = ", ";
    }
    out += array->empty() ? "[]" : "]";
  } else if (const double* number = value.if_double()) {
    append_number(out, *number);
  } else {
    out += json::serialize(value);
  }
}

void append(std::string& out, const json::value& value, std::size_t indent, bool open) {
  const std::size_t begin = out.size();
  append_flat(out, value);
  const bool is_list = value.is_object() || value.is_array();
  if (!is_list || (!open && indent + out.size() - begin <= columns_max)) return;
  out.resize(begin);
  const std::string inner(indent + 2, ' ');
  const char* separator = "\n";
  if (const json::object* object = value.if_object()) {
    out += '{';
    for (const auto& member : *object) {
      out += separator + inner + quoted(member.key()) + ": ";
      append(out, member.value(), indent + 2, false);
      separator = ",\n";
    }
    out += '\n' + std::string(indent, ' ') + '}';
    return;
  }
  out += '[';
  for (const json::value& element : value.get_array()) {
    out += separator + inner;
    append(out, element, indent + 2, false);
    separator = ",\n";
  }
  out += '\n' + std::string(indent, ' ') + ']';
}

}  // namespace

std::string json_text(const json::value& value) {
  std::string out;
  append(out, value, 0, true);
  return out;
}

}  // namespace herd
