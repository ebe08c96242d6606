// Trains byte-level BPE: beginning with the 256 bytes, the pair of neighbours that is most frequent in all pieces
// becomes a token, again and again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/piece_counts.h"
#include "text/tokenizer_json_writer.h"

namespace herd::text {

struct BpeTraining {
  std::int64_t vocabulary = 0;        // ids in all: the 256 bytes, the merges, the special tokens
  std::vector<std::string> specials;  // at least one, <|begin_of_text|>; they take the last ids
  std::uint64_t min_frequency = 2;    // pairs seen less often become no token; 0 is as 1
};

// Fails with out_of_range when the vocabulary is too small for bytes and special tokens, or above
// limits::vocabulary_max.
Result<void> check_training(const BpeTraining& options);

// Bytes have the ids of Llama 4. Of equally frequent pairs the one with the smaller left id wins, then the smaller
// right id: the rule of Hugging Face's BpeTrainer, so on UTF-8 text both choose the same merges. No token is longer
// than limits::token_bytes_max. The result is a function of the counts alone.
//
// `progress` hears of tokens made (their number since it was last called). Memory: about 12 bytes for each byte of the
// different pieces, at first.
//
// Fails as check_training(), and with out_of_range when the text has not enough pairs (the message says how many ids
// it is good for).
Result<TokenizerContent> train_bpe(const PieceCounts& counts, const BpeTraining& options,
                                   const std::function<void(std::uint64_t)>& progress = {});

}  // namespace herd::text
