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
#include "train/export.h"
#include "train/trainer.h"

namespace herd::cli {
namespace {

struct TrainOptions {
  std::string recipe;

  static constexpr auto fields() {
    return option_list(
        option("recipe", &TrainOptions::recipe, "a TOML file: model, optimizer, stages"));
  }
};

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
        option("out", &O::out, "the directory to write"),
        option("type", &O::type, "of the weights", Choices{weight_types}));
  }
};

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
  flags.add(options, {{"recipe"}});
  flags.add(run);
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
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
  if (!options.source.ends_with(".toml")) {
    HERD_TRY(const fs::path model, find_model(options.source));
    return export_merged(model, options);
  }
  HERD_TRY(train::Recipe recipe, train::read_recipe(options.source));
  ThreadPool pool(1);
  std::vector<std::string> notes;
  const std::vector<std::string> everything{"recipe", "config.json", "tokenizer.json",
                                            "chat_template.jinja", "data"};  // the weights count
  HERD_TRY(const std::unique_ptr<train::Trainer> trainer,
           train::Trainer::create(std::move(recipe), options.training, pool, everything, notes));
  if (trainer->state().step == 0)
    return fail(Code::no_checkpoint, "{} has no checkpoint of this training", options.training);
  HERD_TRY_VOID(trainer->write(type_named(options.type), options.out));
  fmt::print("step {}, {} tokens: {}\n", trainer->state().step, trainer->state().tokens,
             options.out);
  return 0;
}

}  // namespace herd::cli
