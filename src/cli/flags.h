// The flags of one command, made from its options (base/options.h). CLI11 does the parsing and stays inside flags.cc:
// its header costs ten seconds in every file that sees it.
//
//   struct TokenizeOptions { std::string model; bool count = false; static constexpr auto fields() {...} };
//   TokenizeOptions options;
//   Flags flags("tokenize", "text to ids", "herd tokenize models/cria < text");
//   flags.add(options, {{"model"}});
//   HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/options.h"
#include "base/result.h"

namespace herd::cli {

// A field that is given by its place on the line and not by --name.
struct Positional {
  std::string_view field;
  bool required = true;
};

// A second name of a field on the line: -p beside --prompt.
struct Short {
  std::string_view field;
  char letter;
};

class Flags {
 public:
  // `example` is a whole command line, shown under --help.
  Flags(std::string_view command, std::string_view sentence, std::string_view example);
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;
  ~Flags();

  // Every field becomes --its-name, a bool also --no-its-name, except those named in `positionals`, which are taken in
  // that order. A vector may be given several times; as a positional it takes all that is left. May be called for
  // several structs; each must outlive parse().
  template <typename Options>
  void add(Options& options, std::initializer_list<Positional> positionals = {},
           std::initializer_list<Short> shorts = {}) {
    const auto rows = option_rows(options);
    add_rows(rows, positionals, shorts);
  }
  void add_rows(std::span<const OptionRow> rows, std::span<const Positional> positionals,
                std::span<const Short> shorts = {});

  // Sets the options from what follows the command's name. Gives the text of --help when that was asked for, nothing
  // otherwise. Fails with usage or out_of_range; the hint of an unknown flag is the nearest one.
  Result<std::optional<std::string>> parse(std::span<const std::string> arguments);

  // Whether what parse() was given has any field of `options` as a flag, be it with its default value.
  template <typename Options>
  [[nodiscard]] bool has_any_of(Options& options) const {
    return std::ranges::any_of(option_rows(options),
                               [&](const OptionRow& row) { return has(row.name); });
  }

 private:
  [[nodiscard]] bool has(std::string_view field) const;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace herd::cli
