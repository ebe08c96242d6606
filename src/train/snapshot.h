// A training as it stands, on disk: enough to go on as if nothing had happened, bit for bit. Written beside what is
// there and renamed when whole; the two newest are kept, and the newest that passes its checks is taken. Newer ones
// that do not pass are set aside as *.damaged, until there are two good ones again.
//
//   OUT/checkpoints/step-00000120/rows.safetensors   weights, first and second moments, [numbers] f32 each
//                                 state.json         the rest, and the checksums of the rows and of itself
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "train/parameters.h"

namespace herd::train {

struct TrainingState {
  std::int64_t step = 0;           // steps done, skipped ones included
  std::int64_t updates = 0;        // steps of the optimizer
  std::int64_t stage = 0;          // which one is going on
  std::int64_t stage_tokens = 0;   // learned in it
  std::uint64_t next_example = 0;  // of the stage's source
  std::int64_t tokens = 0;         // in all
  double seconds = 0;              // spent learning
  std::int64_t skipped = 0;        // steps that were not numbers or far too long
  std::int64_t bad_in_a_row = 0;   // the latest of them
  std::deque<double> lengths;      // of the latest gradients, for telling what is too long
  std::map<std::int64_t, std::vector<std::int64_t>> loads =
      {};  // of the last step: Balance::counts()
  std::map<std::int64_t, std::vector<double>> selection_bias = {};  // SelectionBias::values()
  std::map<std::string, std::string> made_of = {};  // checksums of recipe, configuration, tokenizer
};

// Fails with cannot_create or io_failed; nothing that was there is lost.
Result<void> save_snapshot(const fs::path& out, const Parameters& parameters,
                           const TrainingState& state);

// Renames damaged ones, which would count as those that are kept and push good ones out. For who holds the lock of the
// training's directory.
void set_aside(std::span<const fs::path> damaged);

struct FoundSnapshot {
  TrainingState state;
  fs::path path;
  std::vector<std::string> skipped;  // newer ones that failed their checks, and why
  std::vector<fs::path> damaged;     // the same, for set_aside()
};

// Fills the parameters from the newest good snapshot of `out`. Nothing when there is none at all; fails with
// no_checkpoint when there are some and all are bad, with resume_mismatch when the training was made of something
// else than `made_of`, but for the things named in `may_differ`.
Result<std::optional<FoundSnapshot>> load_snapshot(
    const fs::path& out, const Parameters& parameters,
    const std::map<std::string, std::string>& made_of, std::span<const std::string> may_differ);

}  // namespace herd::train
