// Generate and grade: a model answers samples of the generated world that it never saw, greedily, and a rule says
// whether each answer is right (world/grade.h). Figures come with the number of cases, their standard error, and what
// always giving the commonest answer would score.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/bundle.h"
#include "engine/session.h"
#include "world/sample.h"

namespace herd::eval {

struct GradedOptions {
  std::int64_t cases = 100;
  std::uint64_t seed = 1;
  std::int64_t max_tokens = 256;
  world::Split split = world::Split::held_out;
  world::Sizes sizes = {};
  std::function<bool(const world::Sample&)> wants = {};  // grades only these; empty: all
};

struct Mistake {
  std::uint64_t index = 0;  // of the sample
  std::string question, expected, reply;
};

struct Score {
  std::string task;
  std::int64_t cases = 0;
  std::int64_t right = 0;
  std::int64_t cut_off = 0;       // answers that reached max_tokens
  std::int64_t majority = 0;      // cases that the commonest expected answer gets right
  std::vector<Mistake> mistakes;  // the first few

  [[nodiscard]] double share() const;           // right / cases
  [[nodiscard]] double standard_error() const;  // sqrt(p (1 - p) / n)
  [[nodiscard]] double majority_share() const;
};

// Called after each case with the number done.
using OnCase = std::function<void(std::int64_t)>;

// The first samples of the seed that can be graded, as many as asked for. A task of documents has nothing to grade.
// Fails with the session's errors.
Result<Score> grade(engine::Session& session, const engine::Bundle& bundle, const world::Task& task,
                    const GradedOptions& options, const OnCase& on_case = {});

// Where a needle stands against how long the text is: one score a cell, row by row.
struct NeedleGrid {
  std::vector<std::int64_t> bytes;   // of the text
  std::vector<double> depths;        // 0 first, 1 last
  std::vector<Score> cells;          // [bytes, depths]
  std::vector<std::int64_t> tokens;  // [bytes] mean length of the prompts
};

Result<NeedleGrid> needle_grid(engine::Session& session, const engine::Bundle& bundle,
                               std::vector<std::int64_t> bytes, std::vector<double> depths,
                               const GradedOptions& options, const OnCase& on_case = {});

}  // namespace herd::eval
