#include "base/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <unordered_set>
#include <vector>

#include "base/file.h"

namespace herd {
namespace {

// Names the first key that an object has twice: Boost.JSON keeps the last of two equal keys without a word.
// Handler of boost::json::basic_parser; returning false stops it.
struct DuplicateKeys {
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  std::vector<std::unordered_set<std::string>> open_objects;
  std::string key;
  std::string duplicate;

  using Error = json::error_code;
  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) {
    open_objects.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, Error&) {
    open_objects.pop_back();
    return true;
  }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_key_part(json::string_view part, std::size_t, Error&) {
    key.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, Error& error) {
    key.append(part.data(), part.size());
    if (!open_objects.back().insert(key).second) {
      duplicate = key;
      error = json::error::syntax;
      return false;
    }
    key.clear();
    return true;
  }
  bool on_string_part(json::string_view, std::size_t, Error&) { return true; }
  bool on_string(json::string_view, std::size_t, Error&) { return true; }
  bool on_number_part(json::string_view, Error&) { return true; }
  bool on_int64(std::int64_t, json::string_view, Error&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, Error&) { return true; }
  bool on_double(double, json::string_view, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
  bool on_comment_part(json::string_view, Error&) { return true; }
  bool on_comment(json::string_view, Error&) { return true; }
};

// Builds the value, with three things that Boost 1.81's own parser lacks: doubles are the nearest to their text (it is
// off by some last bits for 16 digits and more), numbers that no double holds are refused (it makes them infinite,
// which passes checks of ranges and cannot be written again), and the keys of all objects are counted.
struct Builder {
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  json::value_stack stack;
  std::string number;  // the parts of one, when the parser cuts it
  std::uint64_t keys = 0;

  using Error = json::error_code;
  bool on_document_begin(Error&) {
    stack.reset();
    return true;
  }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) { return true; }
  bool on_object_end(std::size_t size, Error&) {
    keys += size;
    stack.push_object(size);
    return true;
  }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t size, Error&) {
    stack.push_array(size);
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, Error&) {
    stack.push_chars(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, Error&) {
    stack.push_key(part);
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, Error&) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t, Error&) {
    stack.push_string(part);
    return true;
  }
  bool on_number_part(json::string_view part, Error&) {
    number.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t value, json::string_view, Error&) {
    number.clear();
    stack.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, json::string_view, Error&) {
    number.clear();
    stack.push_uint64(value);
    return true;
  }
  bool on_double(double value, json::string_view part, Error& error) {
    number.append(part.data(), part.size());
    if (std::isinf(value)) {
      error = json::error::exponent_overflow;
      return false;
    }
    double nearest = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), nearest);
    if (read.ec == std::errc{} && read.ptr == number.data() + number.size()) value = nearest;
    number.clear();
    stack.push_double(value);
    return true;
  }
  bool on_bool(bool value, Error&) {
    stack.push_bool(value);
    return true;
  }
  bool on_null(Error&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, Error&) { return true; }
  bool on_comment(json::string_view, Error&) { return true; }
};

// Members of all objects in `value`. As deep as the parser allowed.
std::uint64_t count_members(const json::value& value) {
  std::uint64_t count = 0;
  if (const json::array* array = value.if_array())
    for (const json::value& item : *array) count += count_members(item);
  if (const json::object* object = value.if_object()) {
    count += object->size();
    for (const auto& member : *object) count += count_members(member.value());
  }
  return count;
}

}  // namespace

Result<json::value> parse_json(std::string_view text, std::uint64_t depth_max) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::error_code error;

  json::basic_parser<Builder> parser(options);
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (error == json::error::too_deep)
    return fail(Code::json_too_deep, "nested deeper than {} at byte {}", depth_max, read);
  if (error) return fail(Code::invalid_json, "{} at byte {}", error.message(), read);
  if (const auto rest = text.find_first_not_of(" \t\r\n", read); rest != std::string_view::npos)
    return fail(Code::invalid_json, "extra text after the value at byte {}", rest);

  json::value value = parser.handler().stack.release();
  if (count_members(value) == parser.handler().keys) return value;
  json::basic_parser<DuplicateKeys> search(options);
  const std::size_t found = search.write_some(false, text.data(), text.size(), error);
  return fail(Code::invalid_json, "duplicate key {} before byte {}",
              shown(search.handler().duplicate), found);
}

Result<json::value> read_json(const std::string& path) {
  HERD_TRY(const std::string text, read_file(path, limits::json_bytes_max));
  auto value = parse_json(text);
  if (!value) return std::unexpected(std::move(value).error().in(path));
  return value;
}

const json::value* find(const json::value& value, std::string_view key) {
  const json::object* object = value.if_object();
  if (object == nullptr) return nullptr;
  const json::value* member = object->if_contains(json::string_view(key.data(), key.size()));
  return member == nullptr || member->is_null() ? nullptr : member;
}

}  // namespace herd
