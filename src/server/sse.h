// Server-sent events, the form of every stream here (spec/api.md T7, T8).
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "server/http.h"

namespace herd::server {

inline constexpr std::string_view sse_idle_text = ": keep-alive\n\n";

// JSON has no line ends outside of strings and escapes them there, so an event is always one line.
inline std::string sse_data(const json::value& data) {
  return "data: " + json::serialize(data) + "\n\n";
}

inline std::string sse_event(std::string_view name, const json::value& data) {
  return "event: " + std::string(name) + "\n" + sse_data(data);
}

inline HttpResponse sse_head() {
  return {.status = 200,
          .headers = {{"content-type", "text/event-stream; charset=utf-8"},
                      {"cache-control", "no-cache"},
                      {"x-accel-buffering", "no"}}};
}

}  // namespace herd::server
