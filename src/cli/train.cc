// herd train: learns what a recipe says. herd export: the weights of a training, or of a model and its adapter, as a
// directory that everybody loads.
#include "base/memory.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "cli/training_run.h"
#include "llama4/adapter.h"
#include "llama4/load.h"
#include "train/balance.h"
#include "train/export.h"
#include "train/optimizer.h"
#include "train/recipe.h"
#include "train/trainer.h"

namespace herd::cli {
namespace {

struct TrainOptions {
  std::string recipe;
  bool keys = false;

  static constexpr auto fields() {
    using O = TrainOptions;
    return option_list(
        option("recipe", &O::recipe, "a TOML file: model, optimizer, stages"),
        option("keys", &O::keys, "print every key of a recipe with its range and default"));
  }
};

// The keys of a part of a recipe, as its options declare them.
template <class Options>
std::string keys_of(std::string_view part) {
  Options standard;
  std::string out = fmt::format("{}\n", part);
  for (const OptionRow& row : option_rows(standard)) {
    const std::string allowed = allowed_text(row), value = option_text(row);
    const std::string beside =
        fmt::format("{}{}{}", allowed, allowed.empty() || value.empty() ? "" : "; ",
                    value.empty() ? "" : "default " + value);
    out += fmt::format("  {:<20}{}{}\n", row.name, row.sentence,
                       beside.empty() ? "" : " (" + beside + ")");
  }
  return out;
}

std::string all_keys() {
  return "Paths are relative to the recipe's file.\n\n" +
         keys_of<train::TrainingOptions>("at the top") +
         keys_of<train::OptimizerOptions>("[optimizer]") +
         keys_of<train::BalanceOptions>("[balance]") +
         keys_of<llama4::AdapterOptions>("[adapter]: adapters of `start` learn instead of all") +
         keys_of<train::StageOptions>("[[stage]]") +
         keys_of<train::SourceOptions>("[[stage.source]], or in a stage of a single source");
}

struct ExportOptions {
  std::string source;
  std::string training = "training";
  std::optional<std::string> adapter = {};
  std::string out;
  std::string type = "bf16";

  static constexpr auto fields() {
    using O = ExportOptions;
    return option_list(
        option("source", &O::source, "the recipe of a training, or a model's directory"),
        option("training", &O::training,
               "of a recipe: its directory; the newest checkpoint is taken"),
        option("adapter", &O::adapter,
               "of a model: a directory of adapters (PEFT) to merge into it"),
        option("out", &O::out, "the directory to write; one that has a model already is refused"),
        option("type", &O::type, "of the weights", Choices{weight_types}));
  }
};

// The file that makes a directory a model's or an adapter's, where there is one: what is written beside or over it
// would be half of each.
std::optional<std::string> model_file_in(const fs::path& directory) {
  std::error_code ignored;  // what cannot be read cannot be written either, which is said then
  for (const char* name : {"config.json", "params.json", "adapter_config.json"})
    if (fs::exists(directory / name, ignored)) return name;
  for (const auto& entry : fs::directory_iterator(directory, ignored))
    if (entry.path().extension() == ".safetensors") return entry.path().filename().string();
  return {};
}

DType type_named(std::string_view name) { return name == "f32" ? DType::f32 : DType::bf16; }

// A model as it is, or with an adapter's sums added to its matrices.
Result<int> export_merged(const fs::path& model, const ExportOptions& options) {
  HERD_TRY(const std::unique_ptr<llama4::Loaded> loaded, llama4::load(model));
  std::unique_ptr<llama4::LoadedAdapters> adapters;
  if (options.adapter) {
    HERD_TRY(adapters, llama4::load_adapters(loaded->model(), *options.adapter));
  }
  HERD_TRY_VOID(train::export_model(loaded->model(), type_named(options.type), model, options.out));
  fmt::print("{}{}: {}\n", model.string(),
             options.adapter ? fmt::format(" with {}", *options.adapter) : "", options.out);
  return 0;
}

}  // namespace

Result<int> train(Arguments arguments) {
  TrainOptions options;
  RunOptions run;
  Flags flags("train", "learn what a recipe says, from nothing or from a checkpoint",
              "herd train models/cria/recipe.toml --out training");
  flags.add(options, {{"recipe", false}});
  flags.add(run);
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (options.keys) HERD_TRY_VOID(print(all_keys()));
  if (options.keys) return 0;
  if (options.recipe.empty())
    return fail_with_hint(Code::usage, "herd train: RECIPE is missing",
                          "herd train --keys prints what a recipe may say");
  HERD_TRY(train::Recipe recipe, train::read_recipe(options.recipe));
  return run_training(std::move(recipe), run);
}

Result<int> export_weights(Arguments arguments) {
  ExportOptions options;
  Flags flags("export",
              "a training's weights, or a model and its adapter, as a Hugging Face directory",
              "herd export models/cria/recipe.toml --training training --out model");
  flags.add(options, {{"source"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (options.out.empty()) return fail(Code::usage, "--out is missing: the directory to write");
  const bool is_recipe = options.source.ends_with(".toml");
  if (is_recipe && options.adapter)
    return fail(Code::usage, "herd export: --adapter is of a model, and {} is a recipe",
                shown(options.source));
  if (!is_recipe && options.training != ExportOptions().training)
    return fail(Code::usage, "herd export: --training is of a recipe, and {} is none",
                shown(options.source));
  // Before anything is read, not after it.
  if (const std::optional<std::string> file = model_file_in(options.out))
    return fail_with_hint(Code::cannot_create,
                          fmt::format("{}: has a model already ({})", options.out, shown(*file)),
                          "give --out a new directory or an empty one");
  if (!is_recipe) {
    HERD_TRY(const fs::path model, find_model(options.source));
    return export_merged(model, options);
  }
  HERD_TRY(train::Recipe recipe, train::read_recipe(options.source));
  ThreadPool pool(1);
  std::vector<std::string> notes;
  // All but the weights, the last: these count.
  const std::vector<std::string> everything(train::things_of_training.begin(),
                                            train::things_of_training.end() - 1);
  HERD_TRY(const std::unique_ptr<train::Trainer> trainer,
           train::Trainer::create(std::move(recipe), options.training, pool, everything, notes));
  for (const std::string& note : notes) fmt::print(stderr, "note: {}\n", note);
  if (trainer->recipe_has_changed())
    fmt::print(stderr, "note: {} is not the recipe that this training was made of\n",
               options.source);
  if (trainer->state().step == 0)
    return fail(Code::no_checkpoint, "{} has no checkpoint of this training", options.training);
  HERD_TRY_VOID(trainer->write(type_named(options.type), options.out));
  fmt::print("step {}, {} tokens: {}\n", trainer->state().step, trainer->state().tokens,
             options.out);
  return 0;
}

}  // namespace herd::cli
