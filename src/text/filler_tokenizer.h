// A tokenizer for models without training: every byte is a token, the rest of the vocabulary is never made from text,
// and the special tokens stand where a trained tokenizer has them. With it a model of random weights can be prompted
// and served like any other.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace herd::text {

// The text of a tokenizer.json in Llama 4's form (split, byte-level BPE without merges, <|begin_of_text|> in front).
// Ids: the 256 bytes in the order of Llama 4's ranks, then fillers, then `specials`, which end at `vocabulary` and
// begin with <|begin_of_text|>. vocabulary >= 256 + specials.
std::string filler_tokenizer_json(std::int64_t vocabulary, std::span<const std::string> specials);

}  // namespace herd::text
