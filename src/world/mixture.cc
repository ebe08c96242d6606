#include "world/mixture.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/check.h"
#include "base/nearest.h"
#include "base/rng.h"
#include "world/draw.h"
#include "world/weight.h"

namespace herd::world {
namespace {

constexpr Stage stage_list[] = {
    {"pretrain", "first: short samples of everything", {.items_max = 24, .bytes_max = 2400}},
    {"mid", "then: long contexts and much recall", {.items_max = 96, .bytes_max = 12000}},
    {"sft", "last: conversations as people hold them", {.items_max = 32, .bytes_max = 5000}},
};

// Percent of a stage's tokens; columns as in stage_list. Each column is divided by its sum.
struct Row {
  std::string_view task;
  std::array<double, std::size(stage_list)> percent;
};
// clang-format off
constexpr Row mixture_table[] = {
    // task            pretrain  mid   sft
    {"story",            {30,    10,    5}},
    {"story_questions",  { 8,     6,   10}},
    {"arithmetic",       { 8,     4,    6}},
    {"recall",           { 5,    12,    2}},
    {"last_write",       { 2,     4,  0.7}},
    {"count",            { 1,     1,  0.3}},
    {"needle",           { 2,     8,    1}},
    {"multi_hop",        { 2,     5,    1}},
    {"strings",          { 5,     3,    4}},
    {"chat",             { 1,     1,    8}},
    {"facts",            { 1,     2,    6}},
    {"system",           { 1,   1.5,    6}},
    {"language",         { 1,   1.5,    5}},
    {"languages",        { 1,     1,    2}},
    {"tools",            { 5,     8,   18}},
    {"json",             { 1,     2,    4}},
    {"code",             { 5,     5,    5}},
    {"shapes",           {10,    10,    8}},
    {"charts",           { 4,     6,    4}},
    {"board",            { 3,     1,    2}},
    {"letters",          { 3,     1,    2}},
    {"written",          { 5,     6,    3}},
    {"several_pictures", { 1,     2,  1.2}},
    {"picture_and_text", {0.6,  1.5,  0.8}},
    {"picture_tool",     {0.4,  0.5,    1}},
};
// clang-format on

const Row& row_of(const Task& task) {
  const auto* row = std::ranges::find(mixture_table, task.name, &Row::task);
  HERD_CHECK(row != std::end(mixture_table), "task {} is in no row of mixture_table", task.name);
  return *row;
}

std::size_t column_of(const Stage& stage) {
  const auto* found = std::ranges::find(stage_list, stage.name, &Stage::name);
  HERD_CHECK(found != std::end(stage_list), "no stage {}", stage.name);
  return static_cast<std::size_t>(found - stage_list);
}

// Mixtures of the stages as they are: constants, they follow from the tables above.
const Mixture& usual_mixture(const Stage& stage) {
  static const auto all = [] {
    std::vector<Mixture> made;
    for (const Stage& each : stage_list) made.emplace_back(each);
    return made;
  }();
  return all[column_of(stage)];
}

}  // namespace

std::span<const Stage> stages() { return stage_list; }

const Stage* find_stage(std::string_view name) {
  const auto* found = std::ranges::find(stage_list, name, &Stage::name);
  return found == std::end(stage_list) ? nullptr : found;
}

std::string stage_hint(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Stage& stage : stage_list) names.push_back(stage.name);
  const std::string similar = did_you_mean(name, names);
  return fmt::format("{}{}there are {}", similar, similar.empty() ? "" : " ",
                     fmt::join(names, ", "));
}

double share_of(const Task& task, const Stage& stage) {
  const std::size_t column = column_of(stage);
  double sum = 0;
  for (const Row& row : mixture_table) sum += row.percent[column];
  return row_of(task).percent[column] / sum;
}

Mixture::Mixture(const Stage& stage, const Sizes& sizes) : sizes_(sizes) {
  constexpr int looked_at = 24;  // samples whose mean length stands for the task's
  double sum = 0;
  for (const Task& task : tasks()) {
    double bytes = 0;
    for (int i = 0; i < looked_at; ++i)
      bytes +=
          bytes_of(world::make_sample(task, 1, static_cast<std::uint64_t>(i), Split::train, sizes));
    sum += share_of(task, stage) * looked_at / bytes;
    cumulative_.push_back(sum);
  }
  for (double& x : cumulative_) x /= sum;
}

const Task& Mixture::task_at(std::uint64_t seed, std::uint64_t index) const {
  constexpr std::uint64_t stream = 0x6D697874;  // apart from every task's own draws
  const auto found = std::ranges::upper_bound(cumulative_, uniform(seed, index, stream));
  return tasks()[std::min(static_cast<std::size_t>(found - cumulative_.begin()),
                          cumulative_.size() - 1)];
}

Sample Mixture::make_sample(std::uint64_t seed, std::uint64_t index, Split split) const {
  return world::make_sample(task_at(seed, index), seed, index, split, sizes_);
}

const Task& task_at(const Stage& stage, std::uint64_t seed, std::uint64_t index) {
  return usual_mixture(stage).task_at(seed, index);
}

Sample make_sample(const Stage& stage, std::uint64_t seed, std::uint64_t index, Split split) {
  return usual_mixture(stage).make_sample(seed, index, split);
}

}  // namespace herd::world
