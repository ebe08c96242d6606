// A tokenizer as the files of a model directory: what Hugging Face's libraries load and herd reads back, with equal
// tokens for every text. The form is Llama 4's (spec/llama4.md 4.3).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/split.h"

namespace herd::text {

struct TokenizerContent {
  std::vector<std::string>
      tokens;  // bytes of ids 0, 1, ...: the 256 single bytes and what merges make of them
  std::vector<std::pair<std::int32_t, std::int32_t>>
      merges;                         // ids of left and right, the earliest first
  std::vector<std::string> specials;  // their ids follow; the first is what every text begins with
  Split split = Split::llama4;        // not none

  [[nodiscard]] std::int64_t size() const {
    return static_cast<std::int64_t>(tokens.size() + specials.size());
  }
};

// The text of tokenizer.json: split, byte-level BPE, special tokens, the first of them put in front where special
// tokens are asked for. Merges are written as "left right", which every version of the library reads.
std::string tokenizer_json(const TokenizerContent& content);

// tokenizer_config.json without a chat template, which the caller adds: the class to load, the special tokens by id,
// and the roles (bos, eos, pad) of those among them that Llama 4 gives one.
json::object tokenizer_config(const TokenizerContent& content);

}  // namespace herd::text
