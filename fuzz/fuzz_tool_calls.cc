// An answer with or without calls of tools: the same events however it is cut, nothing lost, arguments that are JSON.
// The first line of the input names the tools, separated by spaces; the rest is the answer.
#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "text/tool_call_stream.h"
#include "text/utf8.h"

namespace {

using herd::text::ToolCallEvent;
using herd::text::ToolCallStream;

// The events with neighbouring texts joined.
std::vector<ToolCallEvent> events_of(const std::vector<std::string>& names, std::string_view answer,
                                     std::size_t step) {
  ToolCallStream stream(names);
  std::vector<ToolCallEvent> out;
  const auto take = [&](std::vector<ToolCallEvent> events) {
    for (ToolCallEvent& event : events) {
      HERD_CHECK(event.is_call() != !event.text.empty(), "an event says one thing");
      if (!event.is_call() && !out.empty() && !out.back().is_call())
        out.back().text += event.text;
      else
        out.push_back(std::move(event));
    }
  };
  for (std::size_t at = 0; at < answer.size(); at += step)
    take(stream.push(answer.substr(at, step)));
  take(stream.finish());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // What reaches the stream is a decoder's output, which is UTF-8 (fuzz_utf8_stream.cc).
  const std::string clean = herd::text::replace_invalid_utf8(herd::text_of({data, size}));
  const std::string_view input = clean;
  const std::size_t line = std::min(input.find('\n'), input.size());
  std::vector<std::string> names;
  for (std::string_view rest = input.substr(0, line); !rest.empty() && names.size() < 8;) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const std::string_view answer = input.substr(std::min(line + 1, input.size()));
  const auto whole = events_of(names, answer, std::max<std::size_t>(answer.size(), 1));
  std::size_t text_bytes = 0;
  for (const ToolCallEvent& event : whole) {
    text_bytes += event.text.size();
    if (!event.is_call()) continue;
    HERD_CHECK(std::ranges::find(names, event.name) != names.end(), "{}", event.name);
    HERD_CHECK(herd::parse_json(herd::json::serialize(event.arguments)));
  }
  HERD_CHECK(text_bytes <= answer.size());
  if (names.empty()) HERD_CHECK(text_bytes == answer.size());
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{11}}) {
    const auto cut = events_of(names, answer, step);
    HERD_CHECK(cut.size() == whole.size(), "{} and {} events", cut.size(), whole.size());
    for (std::size_t i = 0; i < cut.size(); ++i)
      HERD_CHECK(cut[i].text == whole[i].text && cut[i].name == whole[i].name &&
                 cut[i].arguments == whole[i].arguments);
  }
  return 0;
}
