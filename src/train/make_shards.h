// Files of texts and conversations become tokenised shards (train/shard.h).
#pragma once

#include <vector>

#include "base/file.h"
#include "engine/bundle.h"

namespace herd::train {

struct ShardTotals {
  std::size_t files = 0, documents = 0, tokens = 0;
};

// Reads JSON lines from paths that end with .jsonl, plain text from all others (directories too), and writes
// OUT/part-00000.tokens and so on, each closed by the document that reaches `tokens_per_file`. What is to be learned of
// a conversation stays known. Fails with the errors of the files, with training_data_invalid for pictures, which shards
// cannot hold, and with cannot_create when `out` already has shards.
Result<ShardTotals> make_shards(const engine::Bundle& bundle, const std::vector<fs::path>& inputs,
                                const fs::path& out, std::size_t tokens_per_file);

}  // namespace herd::train
