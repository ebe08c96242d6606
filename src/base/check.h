// HERD_CHECK: what must hold unless herd itself is wrong. On in every build; prints place and values, then aborts.
// Never reachable from outside input: that becomes a Result at the edge.
#pragma once

#include <fmt/format.h>

#include <string>

namespace herd {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const std::string& detail);

}  // namespace herd

// HERD_CHECK(a == b, "a is {}, b is {}", a, b);  the text is optional.
#define HERD_CHECK(condition, ...)                                                             \
  do {                                                                                         \
    if (!(condition)) [[unlikely]]                                                             \
      ::herd::check_failed(__FILE__, __LINE__, #condition, ::herd::detail::text(__VA_ARGS__)); \
  } while (false)

namespace herd::detail {

inline std::string text() { return {}; }

template <typename... Args>
std::string text(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}

}  // namespace herd::detail
