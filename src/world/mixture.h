// How much of each task a stage of training sees. The table is in mixture.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "world/sample.h"

namespace herd::world {

struct Stage {
  std::string_view name;  // "pretrain", "mid", "sft"
  std::string_view sentence;
  Sizes sizes;
};

std::span<const Stage> stages();

// Null when there is none of this name.
const Stage* find_stage(std::string_view name);

// For messages about a name that no stage has: "pretrain, mid or sft", and which it is near to.
std::string stage_hint(std::string_view name);

// The part that a task has of a stage's tokens (a picture counts 22). All tasks of a stage sum to 1.
double share_of(const Task& task, const Stage& stage);

// Draws samples of a stage. Tasks with long samples are drawn less often, so that shares are shares of tokens and not
// of samples; how long they are depends on the sizes.
class Mixture {
 public:
  explicit Mixture(const Stage& stage) : Mixture(stage, stage.sizes) {}
  // Makes some samples of every task to see how long they are. `stage` is one of stages().
  Mixture(const Stage& stage, const Sizes& sizes);

  // The task of sample `index`.
  [[nodiscard]] const Task& task_at(std::uint64_t seed, std::uint64_t index) const;
  // make_sample(task_at(...), ...) of the mixture's sizes.
  [[nodiscard]] Sample make_sample(std::uint64_t seed, std::uint64_t index, Split split) const;

 private:
  Sizes sizes_;
  std::vector<double>
      cumulative_;  // how often the tasks are drawn, summed up from the first; the last is 1
};

// Those of a Mixture of the stage's own sizes, which is made once.
const Task& task_at(const Stage& stage, std::uint64_t seed, std::uint64_t index);
Sample make_sample(const Stage& stage, std::uint64_t seed, std::uint64_t index, Split split);

}  // namespace herd::world
