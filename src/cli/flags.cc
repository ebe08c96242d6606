#include "cli/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/nearest.h"

namespace herd::cli {
namespace {

// max_tokens -> max-tokens, or MAX_TOKENS for a positional.
std::string flag_name(std::string_view field) {
  std::string name(field);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string positional_name(std::string_view field) {
  std::string name(field);
  for (char& c : name)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return name;
}

bool is_vector(const OptionRow& row) {
  return std::holds_alternative<std::vector<std::string>*>(row.value);
}

std::string value_name(const OptionRow& row) {
  struct Name {
    std::string operator()(const bool*) const { return {}; }
    std::string operator()(const std::int64_t*) const { return "N"; }
    std::string operator()(const std::uint64_t*) const { return "N"; }
    std::string operator()(const std::optional<std::int64_t>*) const { return "N"; }
    std::string operator()(const double*) const { return "X"; }
    std::string operator()(const std::optional<double>*) const { return "X"; }
    std::string operator()(const std::string*) const { return "TEXT"; }
    std::string operator()(const std::optional<std::string>*) const { return "TEXT"; }
    std::string operator()(const std::vector<std::string>*) const { return "TEXT..."; }
  };
  return std::visit(Name(), row.value);
}

// "0 always takes the likeliest token (0 to 2; default 0.6)"
std::string description(const OptionRow& row) {
  const std::string standard = option_text(row);
  const std::string allowed = value_name(row).starts_with("TEXT") && row.choices.names.empty()
                                  ? std::string()
                                  : allowed_text(row);
  if (standard.empty() && allowed.empty()) return std::string(row.sentence);
  return fmt::format("{} ({}{}{})", row.sentence, allowed,
                     standard.empty() || allowed.empty() ? "" : "; ",
                     standard.empty() ? "" : "default " + standard);
}

// Shows one name a flag, and of a switch the name that changes something.
class Formatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    const bool on_by_default =
        option->get_default_str() == "true" && option->get_items_expected() == 0;
    if (on_by_default) return "--" + option->get_lnames().back();
    if (!is_positional && !option->get_lnames().empty()) {
      const std::string name = "--" + option->get_lnames().front();
      return option->get_snames().empty() ? name : "-" + option->get_snames().front() + ", " + name;
    }
    return CLI::Formatter::make_option_name(option, is_positional);
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }
};

}  // namespace

struct Flags::State {
  CLI::App app;
  std::vector<std::string> names;  // every flag, for "did you mean"
  std::optional<Error> error;      // what a field said to its text; CLI11 carries only a string

  State(std::string_view command, std::string_view sentence, std::string_view example)
      : app(std::string(sentence), "herd " + std::string(command)) {
    app.formatter(std::make_shared<Formatter>());  // shared: CLI11 takes nothing else
    app.set_help_flag("-h,--help", "this text");
    app.footer("Example:\n  " + std::string(example));
    names.emplace_back("--help");
  }

  // The callback of CLI11 that gives `row` its text.
  auto setter(const OptionRow& row, std::string shown_name) {
    return [this, row, shown_name = std::move(shown_name)](const std::vector<std::string>& texts) {
      if (is_vector(row)) std::get<std::vector<std::string>*>(row.value)->clear();
      for (const std::string& text : texts) {
        Result<void> set = set_option(row, text);
        if (set) continue;
        error = std::move(set).error();
        // On the command line the field is called by its flag.
        if (error->message.starts_with(row.name))
          error->message.replace(0, row.name.size(), shown_name);
        return false;
      }
      return true;
    };
  }

  void add_switch(const OptionRow& row) {
    const std::string name = flag_name(row.name);
    bool* const field = std::get<bool*>(row.value);
    CLI::Option* option = app.add_flag_function(
        fmt::format("--{},!--no-{}", name, name),
        [field](std::int64_t count) { *field = count > 0; },
        fmt::format("{}{}", *field ? "do not: " : "", row.sentence));
    option->default_str(*field ? "true" : "false");
    names.push_back("--" + name);
    names.push_back("--no-" + name);
  }

  void add_value(const OptionRow& row, const Positional* positional, char letter = 0) {
    const std::string name =
        positional == nullptr ? "--" + flag_name(row.name) : positional_name(row.name);
    const std::string names_here = letter == 0 ? name : fmt::format("-{},{}", letter, name);
    CLI::Option* option = app.add_option(names_here, setter(row, name), description(row));
    option->type_name(positional == nullptr ? value_name(row) : "");
    if (is_vector(row)) {
      option->expected(positional == nullptr ? 1 : -1);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
    if (positional == nullptr)
      names.push_back(name);
    else
      option->required(positional->required);
  }

  std::unexpected<Error> unknown_arguments() {
    const std::vector<std::string> left = app.remaining();
    HERD_CHECK(!left.empty());
    const std::string word = left.front().substr(0, left.front().find('='));
    if (!word.starts_with('-'))
      return fail(Code::usage, "{}: unexpected argument {}", app.get_name(), shown(word));
    const std::vector<std::string_view> known(names.begin(), names.end());
    std::string hint = did_you_mean(word, known);
    if (hint.empty()) hint = fmt::format("{} --help lists the flags", app.get_name());
    return fail_with_hint(Code::usage,
                          fmt::format("{}: unknown flag {}", app.get_name(), shown(word)),
                          std::move(hint));
  }
};

Flags::Flags(std::string_view command, std::string_view sentence, std::string_view example)
    : state_(std::make_unique<State>(command, sentence, example)) {}

Flags::~Flags() = default;

void Flags::add_rows(std::span<const OptionRow> rows, std::span<const Positional> positionals,
                     std::span<const Short> shorts) {
  // CLI11 fills positionals in the order in which they were added.
  for (const Positional& positional : positionals) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const OptionRow& candidate) {
      return candidate.name == positional.field;
    });
    HERD_CHECK(row != rows.end(), "no option is called {}", positional.field);
    state_->add_value(*row, &positional);
  }
  for (const OptionRow& row : rows) {
    const bool placed =
        std::any_of(positionals.begin(), positionals.end(),
                    [&](const Positional& positional) { return positional.field == row.name; });
    if (placed) continue;
    const auto found = std::ranges::find(shorts, row.name, &Short::field);
    if (std::holds_alternative<bool*>(row.value))
      state_->add_switch(row);
    else
      state_->add_value(row, nullptr, found == shorts.end() ? '\0' : found->letter);
  }
}

bool Flags::has(std::string_view field) const {
  return state_->app.count("--" + flag_name(field)) > 0;
}

Result<std::optional<std::string>> Flags::parse(std::span<const std::string> arguments) {
  // CLI11 takes them last first.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  state_->error.reset();
  try {
    state_->app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return state_->app.help();
  } catch (const CLI::ExtrasError&) {
    return state_->unknown_arguments();
  } catch (const CLI::ParseError& error) {
    if (state_->error) return std::unexpected(*std::move(state_->error));
    return fail_with_hint(Code::usage, fmt::format("{}: {}", state_->app.get_name(), error.what()),
                          fmt::format("{} --help lists the flags", state_->app.get_name()));
  }
  return std::nullopt;
}

}  // namespace herd::cli
