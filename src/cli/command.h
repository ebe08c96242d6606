// The program's commands: one file each, one row each in commands.cc. A command parses its own flags, writes its answer
// to stdout (with --json one JSON document and nothing else) and everything else to stderr, and gives the exit status.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace herd::cli {

// What stands behind the command's name.
using Arguments = std::span<const std::string>;

struct Command {
  std::string_view name;
  std::string_view sentence;      // for the list of commands
  Result<int> (*run)(Arguments);  // the exit status, or the error that main() prints and translates
};

// All commands, in the order of `herd --help`.
std::span<const Command> commands();

// Runs what the command line says and gives the exit status. arguments[0] is the command.
int run_program(Arguments arguments);

}  // namespace herd::cli
