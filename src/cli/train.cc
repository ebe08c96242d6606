// herd train: learns what a recipe says. herd export: the weights of a training as a directory that everybody loads.
#include <cstdio>

#include "base/interrupt.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "llama4/load.h"
#include "train/curves.h"
#include "train/export.h"
#include "train/trainer.h"

namespace herd::cli {
namespace {

constexpr std::string_view types[] = {"bf16", "f32"};

struct TrainOptions {
  std::string recipe;
  std::string out = "training";
  std::int64_t threads = 0;
  std::string type = "bf16";
  std::int64_t print_steps = 10;
  std::vector<std::string> allow_changed = {};

  static constexpr auto fields() {
    using O = TrainOptions;
    return option_list(
        option("recipe", &O::recipe, "a TOML file: model, optimizer, stages"),
        option("out", &O::out,
               "directory of checkpoints, curves and the model; a training found there goes on"),
        option("threads", &O::threads, "that compute; 0 for all CPUs; the result is the same",
               Range{0, 1024}),
        option("type", &O::type, "of the finished model's weights", Choices{types}),
        option("print_steps", &O::print_steps, "steps between two lines on the terminal",
               Range{1, 1'000'000}),
        option("allow_changed", &O::allow_changed,
               "go on although this changed: recipe, config.json, tokenizer.json, ..."));
  }
};

struct ExportOptions {
  std::string recipe;
  std::string training = "training";
  std::string out;
  std::string type = "bf16";

  static constexpr auto fields() {
    using O = ExportOptions;
    return option_list(
        option("recipe", &O::recipe, "the recipe of the training"),
        option("training", &O::training, "its directory; the newest checkpoint is taken"),
        option("out", &O::out, "the directory to write"),
        option("type", &O::type, "of the weights", Choices{types}));
  }
};

std::string duration_text(double seconds) {
  const auto minutes = static_cast<std::int64_t>(seconds / 60);
  if (minutes < 1) return fmt::format("{:.0f} s", seconds);
  if (minutes < 60) return fmt::format("{} min", minutes);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

// Speed and loss over the last lines, smoothed, so that the end can be told.
class Printer {
 public:
  Printer(const train::Trainer& trainer, std::int64_t every)
      : total_(trainer.recipe().tokens()), every_(every) {}

  void print(const train::StepReport& report) {
    const double speed = static_cast<double>(report.step_tokens) / report.seconds;
    speed_ = speed_ == 0 ? speed : 0.9 * speed_ + 0.1 * speed;
    loss_ = loss_ == 0 ? report.loss : 0.9 * loss_ + 0.1 * report.loss;
    if (report.skipped)
      fmt::print("step {}: skipped, its gradient of {:.3g} is far from the latest ones\n",
                 report.step, report.gradient);
    if (report.step % every_ == 0 || report.held_out) {
      const double left = std::max(0.0, total_ - static_cast<double>(report.tokens)) / speed_;
      fmt::print(
          "{} step {} · {:.2f} M of {:.2f} M tokens · loss {:.3f}{} · {:.0f} tokens/s · "
          "load {:.1f}{} · {} left\n",
          report.stage, report.step, static_cast<double>(report.tokens) / 1e6, total_ / 1e6, loss_,
          report.held_out ? fmt::format(" (unseen {:.3f})", *report.held_out) : "", speed_,
          report.worst_load,
          report.unused_experts > 0 ? fmt::format(", {} experts unused", report.unused_experts)
                                    : "",
          duration_text(left));
      std::fflush(stdout);
    }
  }

 private:
  double total_;
  std::int64_t every_;
  double speed_ = 0, loss_ = 0;
};

DType type_named(std::string_view name) { return name == "f32" ? DType::f32 : DType::bf16; }

}  // namespace

Result<int> train(Arguments arguments) {
  TrainOptions options;
  Flags flags("train", "learn what a recipe says, from nothing or from a checkpoint",
              "herd train models/cria/recipe.toml --out training");
  flags.add(options, {{"recipe"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;

  HERD_TRY(train::Recipe recipe, train::read_recipe(options.recipe));
  const fs::path out = options.out;
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return fail(Code::cannot_create, "{}: {}", out.string(), error.message());
  ThreadPool pool(static_cast<int>(options.threads));
  std::vector<std::string> notes;
  HERD_TRY(const std::unique_ptr<train::Trainer> trainer,
           train::Trainer::create(std::move(recipe), out, pool, options.allow_changed, notes));
  for (const std::string& note : notes) fmt::print(stderr, "note: {}\n", note);
  const std::int64_t count = trainer->learner().parameters().count();
  fmt::print("{:.2f} M parameters, {} for weights, gradients and moments · {} threads\n",
             static_cast<double>(count) / 1e6,
             human_bytes(static_cast<std::uint64_t>(count) * 4 * sizeof(float)), pool.threads());
  HERD_TRY(auto curves, train::Curves::open(out / "curves.csv", trainer->state().step));
  Printer printer(*trainer, options.print_steps);
  Result<void> written;
  Interrupt interrupt;
  HERD_TRY_VOID(trainer->run(
      [&](const train::StepReport& report) {
        printer.print(report);
        if (auto added = curves.add(report); !added) written = std::move(added);
      },
      interrupt.token()));
  if (!written) return std::unexpected(written.error());
  if (interrupt.requested()) {
    fmt::print("stopped at step {} after {}; the same command goes on from there\n",
               trainer->state().step, duration_text(trainer->state().seconds));
    return 0;
  }
  const fs::path model = out / "model";
  HERD_TRY_VOID(train::export_model(trainer->learner().parameters(), trainer->bundle().config,
                                    type_named(options.type), trainer->model_directory(), model));
  fmt::print("{} tokens in {}; the model is in {}\n", trainer->state().tokens,
             duration_text(trainer->state().seconds), model.string());
  return 0;
}

Result<int> export_weights(Arguments arguments) {
  ExportOptions options;
  Flags flags("export", "the newest weights of a training as a Hugging Face directory",
              "herd export models/cria/recipe.toml --training training --out model");
  flags.add(options, {{"recipe"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (options.out.empty()) return fail(Code::usage, "--out is missing: the directory to write");
  HERD_TRY(train::Recipe recipe, train::read_recipe(options.recipe));
  ThreadPool pool(1);
  std::vector<std::string> notes;
  const std::vector<std::string> everything{"recipe", "config.json", "tokenizer.json",
                                            "chat_template.jinja"};  // only weights are taken
  HERD_TRY(const std::unique_ptr<train::Trainer> trainer,
           train::Trainer::create(std::move(recipe), options.training, pool, everything, notes));
  if (trainer->state().step == 0)
    return fail(Code::no_checkpoint, "{} has no checkpoint of this training", options.training);
  HERD_TRY_VOID(train::export_model(trainer->learner().parameters(), trainer->bundle().config,
                                    type_named(options.type), trainer->model_directory(),
                                    options.out));
  fmt::print("step {}, {} tokens: {}\n", trainer->state().step, trainer->state().tokens,
             options.out);
  return 0;
}

}  // namespace herd::cli
