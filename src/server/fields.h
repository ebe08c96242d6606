// The members of a JSON object, taken one by one with their kind and range. Whatever nobody took at the end is unknown:
// so nothing that a client says is dropped in silence. The first mistake is kept, later ones are not looked for.
//
//   Problem problem;
//   Fields fields(body, "", problem);
//   options.temperature = fields.number("temperature", 0, 2).value_or(1);
//   fields.refuse("suffix", "text behind the answer is not supported");
//   fields.done();
//   if (problem) return problem.error();
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"

namespace herd::server {

class PictureFetcher;

// What is wrong with a request, once something is; and which of its members do nothing.
class Problem {
 public:
  explicit operator bool() const { return error_.has_value(); }
  void set(ApiError error) {
    if (!error_) error_ = std::move(error);
  }
  void set(std::string_view code, std::string message, std::string param) {
    set(ApiError{400, std::string(code), std::move(message), std::move(param)});
  }
  [[nodiscard]] std::unexpected<ApiError> error() const { return std::unexpected(*error_); }
  // Paths of members that were accepted and change nothing here.
  std::vector<std::string> ignored;
  // Unknown members are ignored too, instead of refused.
  bool accept_unknown = false;
  // Fetches pictures by address; null where nobody does.
  const PictureFetcher* pictures = nullptr;

 private:
  std::optional<ApiError> error_;
};

class Fields {
 public:
  // `object` and `problem` must outlive it. `path` of the object itself, empty for the body.
  Fields(const json::object& object, std::string path, Problem& problem)
      : object_(object), path_(std::move(path)), problem_(problem) {}

  // Each takes a member and gives it, or nothing: where it is absent or null, and where it is wrong.
  std::optional<double> number(std::string_view name, double low, double high);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t low, std::int64_t high);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::string> text(std::string_view name, std::size_t bytes_max = SIZE_MAX);
  // One of `known`, each with the number it is given as.
  std::optional<std::string> word(std::string_view name, std::vector<std::string_view> known);
  const json::object* object(std::string_view name);
  const json::array* array(std::string_view name, std::size_t items_max = SIZE_MAX);
  const json::value* any(std::string_view name);  // of any kind but null

  // For members that must be there: says so if they are not.
  void require(std::string_view name);

  // Known, and wanted by somebody, but not to be had: an error when it is there and not null (nor false).
  void refuse(std::string_view name, std::string_view why);
  // Known, and without effect here; listed in Problem::ignored when it is there.
  void ignore(std::string_view name);

  // Every member has been taken: else the first other one is unknown, with the nearest name.
  void done();

  void wrong(std::string_view name, std::string_view code, std::string message);
  [[nodiscard]] std::string path(std::string_view name) const;
  [[nodiscard]] Problem& problem() const { return problem_; }
  [[nodiscard]] bool has(std::string_view name) const { return object_.contains(name); }

 private:
  const json::value* take(std::string_view name);
  void wrong_type(std::string_view name, const json::value& found, std::string_view wanted);

  const json::object& object_;
  std::string path_;
  Problem& problem_;
  std::vector<std::string> taken_;
};

// How a value's kind is called in messages: "a string".
std::string_view kind_of(const json::value& value);

// "messages[3]".
std::string item_path(std::string_view path, std::size_t index);

inline std::string_view text_of(const json::value& value) {
  return {value.get_string().data(), value.get_string().size()};
}

}  // namespace herd::server
