// One optimizer step's worth of examples, in pieces that go through the model together. Documents are laid side by side
// without padding; none sees another (nn/batch.h).
#pragma once

#include <cstdint>
#include <vector>

#include "train/source.h"

namespace herd::train {

struct PackingOptions {
  std::int64_t step_tokens = 16384;  // a step ends with the example that reaches this
  std::int64_t piece_tokens = 2048;  // at most this in one piece, unless a single example is longer
  std::int64_t length_max =
      1024;  // of an example; longer texts are cut, longer conversations left out
};

struct Step {
  std::vector<std::vector<Example>> pieces;
  std::int64_t tokens = 0;
  double weight = 0;           // of all tokens together
  std::uint64_t left_out = 0;  // conversations too long
  std::uint64_t empty = 0;     // examples without a token to learn from
  std::uint64_t next = 0;      // the first example that was not taken
};

// Cuts a document to length_max. False for an example that teaches nothing: too long and not to be cut, or without a
// token that counts.
bool is_learnable(Example& example, std::int64_t length_max);

// Takes examples from `first` on.
Result<Step> pack(const Source& source, std::uint64_t first, const PackingOptions& options);

}  // namespace herd::train
