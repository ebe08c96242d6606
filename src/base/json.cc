#include "base/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <unordered_set>
#include <vector>

#include "base/file.h"

namespace herd {
namespace {

// Walks the text once before a value is built, because Boost.JSON keeps the last of two equal keys without a word.
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

}  // namespace

Result<json::value> parse_json(std::string_view text, std::uint64_t depth_max) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::error_code error;

  json::basic_parser<DuplicateKeys> check(options);
  const std::size_t read = check.write_some(false, text.data(), text.size(), error);
  if (!check.handler().duplicate.empty())
    return fail(Code::invalid_json, "duplicate key {} before byte {}",
                shown(check.handler().duplicate), read);
  if (error == json::error::too_deep)
    return fail(Code::json_too_deep, "nested deeper than {} at byte {}", depth_max, read);
  if (error) return fail(Code::invalid_json, "{} at byte {}", error.message(), read);
  if (const auto rest = text.find_first_not_of(" \t\r\n", read); rest != std::string_view::npos)
    return fail(Code::invalid_json, "extra text after the value at byte {}", rest);

  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return fail(Code::invalid_json, "{}", error.message());
  return value;
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
