// How much of each task a stage of training sees. The table is in mixture.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

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

// The part that a task has of a stage's tokens (a picture counts 22). All tasks of a stage sum to 1.
double share_of(const Task& task, const Stage& stage);

// The task of sample `index` of a stage. Tasks with long samples are drawn less often, so that shares are shares of
// tokens and not of samples.
const Task& task_at(const Stage& stage, std::uint64_t seed, std::uint64_t index);

// make_sample(task_at(...), ...): the stage's sizes unless others are given.
Sample make_sample(const Stage& stage, std::uint64_t seed, std::uint64_t index, Split split);
Sample make_sample(const Stage& stage, std::uint64_t seed, std::uint64_t index, Split split,
                   const Sizes& sizes);

}  // namespace herd::world
