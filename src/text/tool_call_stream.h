// Tool calls out of an answer's text, while it arrives. Models write calls in several dialects (spec/llama4.md 4.5);
// all are read alike, and nothing is ever evaluated:
//
//   {"name": "f", "parameters": {"a": 1}}          also "arguments", with "type": "function", several in a row, a list
//   [f(a=1, b="x"), g()]                           a Python list of calls with literal arguments
//   <function=f>{"a": 1}</function>
//   f.call(a=1)                                    Llama's built-in tools
//
// A call begins the answer or a line, and names a tool that was offered; everything else is text. What may still become
// a call is held back, so nothing is taken back; however the text is cut into pieces, the events say the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace herd::text {

struct ToolCallEvent {
  std::string text;  // of the answer; empty for a call
  std::string name;  // of the tool that is called; empty for text
  json::object arguments;

  [[nodiscard]] bool is_call() const { return !name.empty(); }
};

class ToolCallStream {
 public:
  // `names` of the tools that were offered. Without any, all text is text.
  explicit ToolCallStream(std::vector<std::string> names) : names_(std::move(names)) {}

  // What is certain after this piece.
  std::vector<ToolCallEvent> push(std::string_view piece);
  // What was held back, at the end of the answer: a call that was cut off is text.
  std::vector<ToolCallEvent> finish();

 private:
  // Where the search for the end of a bracket is: text that was looked at once is not looked at again.
  struct Scan {
    std::size_t at = 0;
    int depth = 0;
    char quote = 0;
    bool escaped = false;
  };
  enum class Verdict : std::uint8_t { no, more, calls };

  void take(std::vector<ToolCallEvent>& out, bool last);
  Verdict judge(std::string_view candidate, std::vector<ToolCallEvent>& calls, std::size_t& length);
  Verdict judge_object(std::string_view candidate, std::vector<ToolCallEvent>& calls,
                       std::size_t& length);
  Verdict judge_list(std::string_view candidate, std::vector<ToolCallEvent>& calls,
                     std::size_t& length);
  Verdict judge_tag(std::string_view candidate, std::vector<ToolCallEvent>& calls,
                    std::size_t& length);
  Verdict judge_builtin(std::string_view candidate, std::vector<ToolCallEvent>& calls,
                        std::size_t& length);
  // Whether an object that begins so may still be a call.
  [[nodiscard]] bool may_become_call(std::string_view candidate) const;
  bool find_end(std::string_view candidate, std::string_view quotes);
  [[nodiscard]] bool known(std::string_view name) const;
  [[nodiscard]] bool may_become_known(std::string_view name) const;
  [[nodiscard]] std::optional<ToolCallEvent> call_of(const json::value& value) const;

  std::vector<std::string> names_;
  std::string held_;
  Scan scan_;  // within the candidate that held_ ends with
  bool line_start_ = true;
  bool after_call_ = false;
};

}  // namespace herd::text
