#include "cli/line_reader.h"

#include <editline/readline.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>

#include "base/interrupt.h"

namespace herd::cli {

LineReader::LineReader()
    : interactive_(::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0) {
  if (!interactive_) return;
  ::rl_initialize();
  ::using_history();
  ::stifle_history(1000);
}

std::optional<std::string> LineReader::read(const std::string& prompt) {
  if (!interactive_) {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  const Interrupt interrupt;
  // libedit hands out malloc's memory.
  const std::unique_ptr<char, void (*)(void*)> line(::readline(prompt.c_str()), std::free);
  if (line == nullptr) {
    std::cout << std::endl;
    if (interrupt.requested()) return "";
    return std::nullopt;
  }
  std::string text = line.get();
  if (!text.empty()) ::add_history(text.c_str());
  return text;
}

}  // namespace herd::cli
