// Lines from a person: with editing and history where stdin is a terminal (libedit), as they come otherwise.
#pragma once

#include <optional>
#include <string>

namespace herd::cli {

class LineReader {
 public:
  LineReader();

  // The next line without its end; nothing at the end of input. Empty when Ctrl-C was pressed while typing.
  std::optional<std::string> read(const std::string& prompt);

  [[nodiscard]] bool interactive() const { return interactive_; }

 private:
  bool interactive_;
};

}  // namespace herd::cli
