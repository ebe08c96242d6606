#include "train/recipe.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "base/options_json.h"

namespace herd::train {
namespace {

constexpr std::uint64_t recipe_bytes_max = 1 << 20;

json::value json_of(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    json::object object;
    for (const auto& [key, value] : *table) object[std::string(key.str())] = json_of(value);
    return object;
  }
  if (const auto* array = node.as_array()) {
    json::array out;
    for (const toml::node& value : *array) out.push_back(json_of(value));
    return out;
  }
  if (const auto text = node.value_exact<std::string>()) return json::value(*text);
  if (const auto truth = node.value_exact<bool>()) return *truth;
  if (const auto whole = node.value_exact<std::int64_t>()) return *whole;
  if (const auto number = node.value_exact<double>()) return *number;
  std::ostringstream text;  // dates have no place in a recipe; the option that gets one says so
  text << toml::node_view<const toml::node>(&node);
  return json::value(text.str());
}

template <typename Options>
Result<void> set(Options& options, const json::value& value, std::string_view where) {
  if (!value.is_object()) return fail(Code::recipe_invalid, "{}: wanted a table", where);
  auto done = set_options_from_json(options, value.as_object());
  if (!done) return std::unexpected(std::move(done).error().in(std::string(where)));
  return {};
}

// A stage's own keys, and those of its sources: as tables, or of a single one beside the stage's.
Result<void> set_stage(Stage& stage, const json::value& value) {
  if (!value.is_object()) return fail(Code::recipe_invalid, "stage: wanted a table");
  json::object keys = value.as_object();
  json::value sources;
  if (const auto* found = keys.if_contains("source")) sources = *found;
  keys.erase("source");
  SourceOptions beside;
  std::vector<OptionRow> rows = option_rows<StageOptions>(stage);
  for (const OptionRow& row : option_rows(beside))
    if (row.name != "share") rows.push_back(row);
  auto done = set_options(rows, keys);
  if (!done)
    return std::unexpected(std::move(done).error().in(fmt::format("stage \"{}\"", stage.name)));
  const bool has_beside = !same_options(beside, SourceOptions{});
  if (sources.is_null() || has_beside) stage.sources.push_back(std::move(beside));
  if (sources.is_null()) return {};
  if (has_beside || !sources.is_array())
    return fail(Code::recipe_invalid,
                "stage \"{}\": a source is either its [[stage.source]] tables or its own keys",
                stage.name);
  for (const json::value& source : sources.as_array()) {
    SourceOptions& options = stage.sources.emplace_back();
    HERD_TRY_VOID(set(options, source,
                      fmt::format("stage \"{}\", source {}", stage.name, stage.sources.size())));
  }
  return {};
}

// What is wrong with a source, or nothing.
std::string fault_of(const SourceOptions& source) {
  const int kinds = int{!source.world.empty()} + int{!source.tasks.empty()} +
                    int{!source.jsonl.empty()} + int{!source.text.empty()} +
                    int{!source.shards.empty()};
  if (kinds != 1)
    return "give exactly one of world, tasks, jsonl, text and shards as what it is made of";
  if (source.is_file() && (source.items_max || source.bytes_max))
    return "items_max and bytes_max are for what is generated: world and tasks";
  return {};
}

Result<void> check_sources(const Stage& stage) {
  for (std::size_t i = 0; i < stage.sources.size(); ++i)
    if (const std::string fault = fault_of(stage.sources[i]); !fault.empty())
      return fail(Code::recipe_invalid, "source {}: {}", i + 1, fault);
  const bool by_epochs =
      stage.epochs > 0 && stage.sources.size() == 1 && stage.sources[0].is_file();
  if (stage.epochs > 0 && !by_epochs)
    return fail(Code::recipe_invalid,
                "epochs are of a single file; these are {} sources{}: say tokens instead",
                stage.sources.size(), stage.sources.size() == 1 ? ", generated without end" : "");
  if (stage.tokens < 1 && !by_epochs) return fail(Code::recipe_invalid, "tokens is missing");
  return {};
}

}  // namespace

Result<void> check_recipe(const Recipe& recipe) {
  if (recipe.stages.empty())
    return fail(Code::recipe_invalid, "the recipe has no [[stage]], so there is nothing to do");
  if (recipe.optimizer.rate <= 0)
    return fail(Code::recipe_invalid, "optimizer.rate is {}: nothing would be learned",
                recipe.optimizer.rate);
  for (const Stage& stage : recipe.stages) {
    // The name is a column of curves.csv and a cell of the report.
    constexpr std::string_view structure = ",\"|\r\n\t";
    if (stage.name.empty() || stage.name.find_first_of(structure) != std::string::npos)
      return fail(Code::recipe_invalid,
                  "stage {}: a name is not empty and has no comma, quote, bar, tab or line's end",
                  shown(stage.name));
    auto checked = check_sources(stage);
    if (!checked)
      return std::unexpected(
          std::move(checked).error().in(fmt::format("stage \"{}\"", stage.name)));
  }
  if (recipe.adapter && recipe.training.start.empty())
    return fail(Code::recipe_invalid,
                "adapter: start is missing, the checkpoint that adapters are learned for");
  return {};
}

double StageOptions::height(double done) const {
  const double rise = warmup_tokens > 0 ? warmup_tokens : warmup * tokens;
  const double warm = rise > 0 ? std::min(1.0, done / rise) : 1.0;
  return warm * (rate_begin + (rate_end - rate_begin) * std::min(1.0, done / tokens));
}

double Recipe::tokens() const {
  double sum = 0;
  for (const Stage& stage : stages) sum += stage.tokens;
  return sum;
}

Result<Recipe> read_recipe(const fs::path& path) {
  Recipe recipe;
  recipe.directory = path.parent_path();
  HERD_TRY(recipe.text, read_file(path, recipe_bytes_max));
  const toml::parse_result parsed = toml::parse(recipe.text);
  if (!parsed) {
    const toml::source_position at = parsed.error().source().begin;
    return fail(Code::recipe_invalid, "{}:{}:{}: {}", path.string(), at.line, at.column,
                parsed.error().description());
  }
  json::object root = json_of(parsed.table()).as_object();
  const auto take = [&](std::string_view key) {
    json::value value;
    if (auto* found = root.if_contains(key)) value = *found;
    root.erase(key);
    return value;
  };
  Result<void> read = [&]() -> Result<void> {
    if (const json::value stages = take("stage"); stages.is_array())
      for (const json::value& value : stages.as_array()) {
        Stage& stage = recipe.stages.emplace_back();
        stage.name = fmt::format("stage {}", recipe.stages.size());
        HERD_TRY_VOID(set_stage(stage, value));
      }
    if (const json::value value = take("optimizer"); !value.is_null())
      HERD_TRY_VOID(set(recipe.optimizer, value, "optimizer"));
    if (const json::value value = take("balance"); !value.is_null())
      HERD_TRY_VOID(set(recipe.balance, value, "balance"));
    if (const json::value value = take("adapter"); !value.is_null())
      HERD_TRY_VOID(set(recipe.adapter.emplace(), value, "adapter"));
    HERD_TRY_VOID(set(recipe.training, json::value(root), "the recipe"));
    return check_recipe(recipe);
  }();
  if (!read) return std::unexpected(std::move(read).error().in(path.string()));
  return recipe;
}

}  // namespace herd::train
