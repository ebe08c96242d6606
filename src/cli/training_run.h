// A training from the terminal: `herd train` and `herd finetune` differ by where the recipe comes from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"
#include "train/recipe.h"

namespace herd::cli {

inline constexpr std::string_view weight_types[] = {"bf16", "f32"};

struct RunOptions {
  std::string out = "training";
  std::int64_t threads = 0;
  std::string type = "bf16";
  std::int64_t print_steps = 10;
  std::vector<std::string> allow_changed = {};
  bool dashboard = false;
  std::int64_t dashboard_port = 8321;

  static constexpr auto fields() {
    using O = RunOptions;
    return option_list(
        option("out", &O::out,
               "directory of checkpoints, curves and the result; a training found there goes on"),
        option("threads", &O::threads, "that compute; 0 for all CPUs; the result is the same",
               Range{0, 1024}),
        option("type", &O::type, "of the finished model's weights", Choices{weight_types}),
        option("print_steps", &O::print_steps, "steps between two lines on the terminal",
               Range{1, 1'000'000}),
        option("allow_changed", &O::allow_changed,
               "go on although this changed: recipe, config.json, tokenizer.json, data, ..."),
        option("dashboard", &O::dashboard, "show live curves in a browser on this machine"),
        option("dashboard_port", &O::dashboard_port, "of that page, on 127.0.0.1; 0 for any",
               Range{0, 65535}));
  }
};

// Runs to the end or until it is interrupted, and writes OUT/model, or OUT/adapter where adapters are learned.
// Fails with the errors of train::Trainer.
Result<int> run_training(train::Recipe recipe, const RunOptions& options);

}  // namespace herd::cli
