#include "train/report.h"

#include <algorithm>
#include <vector>

#include "kernels/cpu/bfloat16_product.h"

namespace herd::train {
namespace {

constexpr std::size_t rows_shown = 20;
constexpr std::uint64_t alarms_bytes_max = 1 << 20;
constexpr std::uint64_t curves_bytes_max = std::uint64_t{1} << 30;

// Parameters that a token meets: all but the experts it is not sent to, embeddings (they are looked up) and the
// encoder of pictures.
std::int64_t active_parameters(const Parameters& parameters, const llama4::TextConfig& text) {
  std::int64_t active = 0;
  for (const Parameter& parameter : parameters.list()) {
    if (parameter.of_vision || parameter.role == Role::embedding) continue;
    active += parameter.routed ? parameter.count * text.experts_per_token / text.experts
                               : parameter.count;
  }
  return active;
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t comma = line.find(',');
    fields.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return fields;
    line.remove_prefix(comma + 1);
  }
}

// Evenly spread lines of the curves, as a table.
std::string losses_table(std::string_view curves) {
  std::vector<std::string_view> lines;
  while (!curves.empty()) {
    const std::size_t end = std::min(curves.find('\n'), curves.size());
    lines.push_back(curves.substr(0, end));
    curves.remove_prefix(std::min(end + 1, curves.size()));
  }
  std::string table =
      "| step | stage | tokens | loss | gradient | tokens/s | busiest expert |\n"
      "|--:|---|--:|--:|--:|--:|--:|\n";
  const std::size_t count = lines.empty() ? 0 : lines.size() - 1;  // without the header
  for (std::size_t i = 0; i < std::min(rows_shown, count); ++i) {
    const std::size_t at =
        1 + (count - 1) * i / std::max<std::size_t>(1, std::min(rows_shown, count) - 1);
    const std::vector<std::string_view> field = fields_of(lines[std::min(at, count)]);
    if (field.size() < 9) continue;
    table += fmt::format("| {} | {} | {} | {:.5} | {:.5} | {} | {} |\n", field[0], field[1],
                         field[2], field[3], field[6], field[7], field[8]);
  }
  return table;
}

}  // namespace

Result<void> write_report(Trainer& trainer, const fs::path& curves, const fs::path& out) {
  HERD_TRY(const std::string lines, read_file(curves, curves_bytes_max));
  const TrainingState& state = trainer.state();
  const Parameters& parameters = trainer.learner().parameters();
  std::int64_t all = 0;
  for (const Parameter& parameter : parameters.list()) all += parameter.count;
  const std::int64_t active = active_parameters(parameters, trainer.bundle().config.text);
  std::string text =
      "# How this model was trained\n\nWritten by `herd train`.\n\n| | |\n|---|---|\n";
  const auto row = [&](std::string_view name, const std::string& value) {
    text += fmt::format("| {} | {} |\n", name, value);
  };
  row("parameters", fmt::format("{} in all, {} that a token of text meets", all, active));
  row("tokens", std::to_string(state.tokens));
  row("steps",
      fmt::format("{}, of which {} were skipped for their gradients", state.step, state.skipped));
  row("time spent learning", fmt::format("{:.0f} minutes", state.seconds / 60));
  row("operations",
      fmt::format("{:.3g} (6 a parameter met and token; attention and pictures not counted)",
                  6.0 * static_cast<double>(active) * static_cast<double>(state.tokens)));
  const bool rounded = trainer.recipe().training.bfloat16 && cpu::has_bfloat16_products();
  row("products", rounded ? "factors in bfloat16, sums in float32" : "float32");
  for (const auto& [thing, sum] : state.made_of) row("checksum of " + thing, sum);
  text +=
      "\n## Losses\n\nNats per token that counts; every line of the curves is in `curves.csv` "
      "beside the checkpoints.\n\n";
  text += losses_table(lines);
  const fs::path alarms = curves.parent_path() / "alarms.txt";
  const std::string heard = read_file(alarms, alarms_bytes_max).value_or(std::string());
  text += "\n## Alarms\n\n" + (heard.empty() ? "None.\n" : "```text\n" + heard + "```\n");
  text += "\n## Recipe\n\n```toml\n" + trainer.recipe().text + "```\n";
  return write_file(out, std::string_view(text));
}

}  // namespace herd::train
