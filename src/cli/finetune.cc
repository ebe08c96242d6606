// herd finetune: teaches a model conversations from a file, by adapters beside its frozen weights or all of it.
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "cli/training_run.h"

namespace herd::cli {
namespace {

constexpr std::string_view methods[] = {"lora", "full"};

struct FinetuneOptions {
  std::string model;
  std::string data;
  std::string method = "lora";
  std::optional<double> rate = {};
  double epochs = 3;
  std::optional<std::int64_t> steps = {};
  std::int64_t batch_tokens = 4096;
  std::int64_t length_max = 4096;
  double warmup = 0.05;
  double decay = 0;
  double prompt_weight = 0;
  std::uint64_t seed = 0;
  bool recompute = false;
  bool bfloat16 = false;
  double checkpoint_minutes = 5;

  static constexpr auto fields() {
    using O = FinetuneOptions;
    return option_list(
        option("model", &O::model, "a checkpoint directory, a .gguf file, or the name cria"),
        option("data", &O::data, "a file of JSON lines, each with messages (or text)"),
        option("method", &O::method, "lora: adapters beside frozen weights; full: every weight",
               Choices{methods}),
        option("rate", &O::rate, "of learning; 2e-4 for adapters, 1e-5 for all weights",
               Range{0, 10}),
        option("epochs", &O::epochs, "how many times the file is learned", Range{1e-6, 1e6}),
        option("steps", &O::steps, "instead of --epochs: as many times --batch-tokens",
               Range{1, 1e9}),
        option("batch_tokens", &O::batch_tokens, "of one step of the optimizer", Range{1, 1e9}),
        option("length_max", &O::length_max, "of an example, in tokens", Range{2, 1e7}),
        option("warmup", &O::warmup, "part of the training until the rate has its height",
               Range{0, 1}),
        option("decay", &O::decay, "of what learns towards zero, times the rate", Range{0, 10}),
        option("prompt_weight", &O::prompt_weight,
               "of what the assistant reads; what it says counts 1", Range{0, 1}),
        option("seed", &O::seed, "of adapters' numbers and of the order of the file", any_number),
        option("recompute", &O::recompute, "compute inner values of blocks twice to save memory"),
        option("bfloat16", &O::bfloat16,
               "round factors of products with float32 and bfloat16, where the processor has it"),
        option("checkpoint_minutes", &O::checkpoint_minutes, "between two checkpoints",
               Range{0, 1e6}));
  }
};

// The same as a recipe, so that the rest is a training like any other.
train::Recipe recipe_of(const FinetuneOptions& options, const llama4::AdapterOptions& adapter,
                        const fs::path& model, std::int64_t context) {
  const bool lora = options.method == "lora";
  train::Recipe recipe;
  recipe.training = {.model = model,
                     .start = model,
                     .seed = options.seed,
                     .recompute = options.recompute,
                     .bfloat16 = options.bfloat16,
                     .checkpoint_minutes = options.checkpoint_minutes,
                     .held_out_tokens = 0};
  recipe.optimizer = {.rate = options.rate.value_or(lora ? 2e-4 : 1e-5),
                      .embedding_rate = 1,
                      .beta2 = 0.999,
                      .decay = options.decay,
                      .decay_all = lora && options.decay > 0};
  recipe.balance = {.pull = 0, .z_pull = 0};
  if (lora) recipe.adapter = adapter;
  train::Stage& stage = recipe.stages.emplace_back();
  stage.name = "finetune";
  stage.sources.push_back({.jsonl = fs::absolute(options.data)});
  stage.step_tokens = options.batch_tokens;
  stage.length_max = std::min(options.length_max, context);
  stage.prompt_weight = options.prompt_weight;
  stage.warmup = options.warmup;
  stage.rate_end = 0.1;
  if (options.steps)
    stage.tokens = static_cast<double>(*options.steps * options.batch_tokens);
  else
    stage.epochs = options.epochs;
  // What --allow-changed calls the recipe, and the report shows.
  recipe.text = fmt::format(
      "method = \"{}\"\nrate = {}\n{} = {}\nstep_tokens = {}\nlength_max = {}\nwarmup = {}\n"
      "decay = {}\nprompt_weight = {}\nseed = {}\n",
      options.method, recipe.optimizer.rate, options.steps ? "tokens" : "epochs",
      options.steps ? stage.tokens : stage.epochs, stage.step_tokens, stage.length_max,
      options.warmup, options.decay, options.prompt_weight, options.seed);
  if (lora)
    recipe.text +=
        fmt::format("rank = {}\nalpha = {}\nrslora = {}\ntargets = \"{}\"\n", adapter.rank,
                    adapter.alpha, adapter.rslora, fmt::join(adapter.targets, " "));
  return recipe;
}

}  // namespace

Result<int> finetune(Arguments arguments) {
  FinetuneOptions options;
  llama4::AdapterOptions adapter;
  RunOptions run;
  bool adapters_are_meant = false;
  auto parse = [&]() -> Result<std::optional<std::string>> {
    Flags flags("finetune", "teach a model conversations from a file, whole or by adapters",
                "herd finetune models/cria conversations.jsonl --out tuned");
    flags.add(options, {{"model"}, {"data"}});
    flags.add(adapter);
    flags.add(run);
    HERD_TRY(std::optional<std::string> help, flags.parse(arguments));
    adapters_are_meant = flags.has_any_of(adapter);
    return help;
  };
  run.out = "tuned";
  HERD_TRY(const std::optional<std::string> help, parse());
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (options.method == "full" && adapters_are_meant)
    return fail(Code::usage,
                "herd finetune: --rank, --alpha, --rslora and --targets are of adapters, and "
                "--method full learns every weight");
  HERD_TRY(const fs::path model, find_model(options.model));
  HERD_TRY(const llama4::Config config, llama4::read_config(model));
  const train::Recipe recipe = recipe_of(options, adapter, model, config.text.context);
  HERD_TRY_VOID(train::check_recipe(recipe));
  return run_training(recipe, run);
}

}  // namespace herd::cli
