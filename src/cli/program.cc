#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/nearest.h"
#include "cli/command.h"
#include "kernels/cpu/quantized_product.h"

namespace herd::cli {
namespace {

void print_commands() {
  fmt::print(
      "herd runs Llama 4: text and pictures in, answers out, on your own machine.\n\n"
      "usage: herd COMMAND [arguments]      herd COMMAND --help for each\n\n");
  for (const Command& command : commands())
    fmt::print("  {:<15} {}\n", command.name, command.sentence);
  fmt::print("\nexample: herd chat models/cria\n");
}

std::unexpected<Error> unknown_command(const std::string& name) {
  std::vector<std::string_view> names;
  for (const Command& command : commands()) names.push_back(command.name);
  std::string hint = did_you_mean(name, names);
  if (hint.empty()) hint = "herd --help lists the commands";
  return fail_with_hint(Code::usage, fmt::format("unknown command {}", shown(name)),
                        std::move(hint));
}

// HERD_KERNELS names the form of quantized products, as herd doctor lists them.
Result<void> choose_kernels() {
  const char* wanted = std::getenv("HERD_KERNELS");
  if (wanted == nullptr || cpu::force_quantized_kernels(wanted)) return {};
  const std::vector<std::string_view> names = cpu::quantized_kernel_names();
  return fail_with_hint(Code::usage,
                        fmt::format("HERD_KERNELS: kernels are {}, this processor has {}",
                                    shown(wanted), fmt::join(names, ", ")),
                        did_you_mean(wanted, names));
}

Result<int> run_command(Arguments arguments) {
  HERD_TRY_VOID(choose_kernels());
  const std::string& name = arguments[0];
  if (name == "--version" || name == "version") {
    fmt::print("herd {}\n", HERD_VERSION);
    return 0;
  }
  for (const Command& command : commands())
    if (command.name == name) return command.run(arguments.subspan(1));
  return unknown_command(name);
}

}  // namespace

int run_program(Arguments arguments) {
  // A reader that has gone (`herd ... | head`) is an error of writing, not a signal that kills.
  std::signal(SIGPIPE, SIG_IGN);
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" ||
      arguments[0] == "help") {
    print_commands();
    return arguments.empty() ? row_of(Code::usage).exit_status : 0;
  }
  const Result<int> status = run_command(arguments);
  if (status) return *status;
  fmt::print(stderr, "herd: {}\n", to_string(status.error()));
  return row_of(status.error().code).exit_status;
}

}  // namespace herd::cli
