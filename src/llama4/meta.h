// Meta's native checkpoints: consolidated.{r}.pth holds rank r's piece of every tensor, under names of its own.
// Here the pieces are put together under the canonical names (llama4/names.h). Sources: the published conversion
// code and llama-models' load hooks; the table is in meta.cc.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "base/result.h"
#include "checkpoint/store.h"
#include "llama4/config.h"
#include "llama4/names.h"

namespace herd::llama4 {

struct MergedTensor {
  std::string canonical;
  std::string stored;  // Meta's name
  NamedTensor tensor;
};

// params.json gives inner widths by a formula with rounding; tensors have them exactly. Corrects expert_width and
// dense_width where `store` shows others. Does nothing to checkpoints of other formats.
void complete_widths(Config& config, const checkpoint::Store& store);

// Puts the pieces together. With one shard most tensors stay views of the file; what must be moved is copied into
// `storage`. FP8 experts (with their fp8_scales files) become unfused matrices with one scale per output; their
// down projection, scaled per rank, becomes bfloat16 where there are several ranks. Names unknown here are passed
// on as they are. Fails with tensor_missing (a piece), tensor_mismatch (shapes, types), each with the tensor's
// name.
Result<std::vector<MergedTensor>> merge_shards(const checkpoint::Store& store, const Config& config,
                                               std::deque<std::vector<std::byte>>& storage,
                                               const checkpoint::Progress& progress = {});

}  // namespace herd::llama4
