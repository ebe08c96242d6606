// The training loop: a recipe, a directory for what comes out, and steps until the last stage is done. May be stopped
// at any moment and taken up again; the weights are then the same bits as without the stop.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <stop_token>

#include "base/thread_pool.h"
#include "engine/bundle.h"
#include "train/learner.h"
#include "train/packing.h"
#include "train/recipe.h"
#include "train/selection_bias.h"
#include "train/snapshot.h"

namespace herd::train {

// What a step did, for logs and curves.
struct StepReport {
  std::int64_t step = 0;
  std::string stage = {};
  std::int64_t tokens = 0;  // learned in all
  double loss = 0;          // nats per token that counts
  double rate = 0;
  double gradient = 0;  // its length
  double seconds = 0;
  std::int64_t step_tokens = 0;
  double worst_load = 0;            // of the layers: busiest expert over the mean
  std::int64_t unused_experts = 0;  // in all layers
  std::map<std::int64_t, std::vector<std::int64_t>> loads = {};  // by layer: tokens of each expert
  bool skipped = false;
  std::optional<double> held_out = {};  // loss on unseen samples, now and then
};

// What a training is made of, by the names that --allow-changed takes.
inline constexpr std::array model_files_of_training = {"config.json", "tokenizer.json",
                                                       "chat_template.jinja"};
inline constexpr std::array things_of_training = {"recipe",
                                                  model_files_of_training[0],
                                                  model_files_of_training[1],
                                                  model_files_of_training[2],
                                                  "data",
                                                  "weights"};

class Trainer {
 public:
  using Report = std::function<void(const StepReport&)>;

  // Knows its recipe and nothing else yet: see create().
  Trainer(Recipe recipe, fs::path out)
      : recipe_(std::move(recipe)), out_(std::move(out)), optimizer_(recipe_.optimizer) {}

  // Reads model and tokenizer, takes up what `out` has or starts. Fails with the errors of the files, and with
  // resume_mismatch or no_checkpoint. `notes` get what a user should know.
  // `may_differ`: what may have changed since: "recipe", "config.json", "tokenizer.json", "chat_template.jinja".
  static Result<std::unique_ptr<Trainer>> create(Recipe recipe, fs::path out, ThreadPool& pool,
                                                 std::span<const std::string> may_differ,
                                                 std::vector<std::string>& notes);

  // Runs to the end, or until stopped; saves where it stops. The caller holds the lock of the directory.
  // Fails with training_diverged, io_failed and the errors of the data.
  Result<void> run(const Report& report, std::stop_token stop);

  [[nodiscard]] const TrainingState& state() const { return state_; }
  [[nodiscard]] const Recipe& recipe() const { return recipe_; }
  [[nodiscard]] Learner& learner() { return *learner_; }
  [[nodiscard]] const Learner& learner() const { return *learner_; }
  [[nodiscard]] const engine::Bundle& bundle() const { return *bundle_; }
  [[nodiscard]] fs::path model_directory() const;
  // How much of the recipe's tokens is learned: 0 to 1.
  [[nodiscard]] double done() const;
  [[nodiscard]] bool has_ended() const {
    return state_.stage >= static_cast<std::int64_t>(recipe_.stages.size());
  }
  // Whether the checkpoint that it goes on from was made by another recipe.
  [[nodiscard]] bool recipe_has_changed() const { return recipe_has_changed_; }
  // Writes what was learned: a model in `dtype`, or its adapters. Fails with refused while a bias of the choice of
  // experts is in use (selection_bias.h), which no released model has; with cannot_create or io_failed.
  Result<void> write(DType dtype, const fs::path& out);

 private:
  Result<void> make_learner(const llama4::Config& config, ThreadPool& pool);
  Result<void> prepare(ThreadPool& pool, std::span<const std::string> may_differ,
                       std::vector<std::string>& notes);
  [[nodiscard]] std::map<std::string, std::string> made_of() const;
  Result<void> run_stage(const Stage& stage, const Report& report, std::stop_token stop);
  Result<StepReport> one_step(const Stage& stage, const Source& source);
  bool is_outlier(double length);
  Result<double> held_out_loss(const Stage& stage, const Source& source);

  Recipe recipe_;
  fs::path out_;
  Optimizer optimizer_;
  TrainingState state_;
  bool recipe_has_changed_ = false;
  std::vector<fs::path> damaged_;  // checkpoints, until it runs
  std::unique_ptr<engine::Bundle> bundle_;
  std::unique_ptr<Learner> learner_;
  std::optional<SelectionBias> selection_bias_;
};

}  // namespace herd::train
