// Errors of the world (a file, a request, an option, memory) travel as values: Result<T>.
// Errors of ours (a shape, a range, a state) stop the program: HERD_CHECK in base/check.h. There is no third kind.
#pragma once

#include <fmt/format.h>

#include <expected>
#include <string>
#include <utility>

#include "base/error_codes.h"

namespace herd {

// What went wrong. `message` names the thing, what was found and what was wanted; `hint` is the next step, or empty.
struct Error {
  Code code = Code::internal;
  std::string message;
  std::string hint;

  // One line of context in front, as layers add it on the way up: "model.safetensors: ...".
  Error&& in(std::string_view where) && {
    message = fmt::format("{}: {}", where, message);
    return std::move(*this);
  }
};

template <typename T = void>
using Result = std::expected<T, Error>;

// fail(Code::bad_header, "header length {} exceeds file size {}", n, size)
template <typename... Args>
[[nodiscard]] std::unexpected<Error> fail(Code code, fmt::format_string<Args...> text,
                                          Args&&... args) {
  return std::unexpected(Error{code, fmt::format(text, std::forward<Args>(args)...), {}});
}

// The same with a next step for the reader.
[[nodiscard]] inline std::unexpected<Error> fail_with_hint(Code code, std::string message,
                                                           std::string hint) {
  return std::unexpected(Error{code, std::move(message), std::move(hint)});
}

// "error[E1102]: message" and, where there is one, a second line "hint: ...".
std::string to_string(const Error& error);

// Text from outside inside a message: control characters escaped, at most 64 bytes shown.
std::string shown(std::string_view text);

}  // namespace herd

#define HERD_CONCAT_INNER(a, b) a##b
#define HERD_CONCAT(a, b) HERD_CONCAT_INNER(a, b)

// HERD_TRY(auto x, f());  x is the value of f(), or the enclosing function returns its error.
#define HERD_TRY(declaration, ...)                                               \
  auto HERD_CONCAT(herd_try_, __LINE__) = (__VA_ARGS__);                         \
  if (!HERD_CONCAT(herd_try_, __LINE__))                                         \
    return std::unexpected(std::move(HERD_CONCAT(herd_try_, __LINE__)).error()); \
  declaration = std::move(*HERD_CONCAT(herd_try_, __LINE__))

// HERD_TRY_VOID(f());  the same for a Result<void>.
#define HERD_TRY_VOID(...)                                      \
  do {                                                          \
    if (auto herd_try_void = (__VA_ARGS__); !herd_try_void)     \
      return std::unexpected(std::move(herd_try_void).error()); \
  } while (false)
