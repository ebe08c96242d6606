// What is learned from: a document of tokens, how much each counts as a thing to predict, and its pictures.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/prompt.h"

namespace herd::train {

struct Example {
  // Tokens in order, the pictures cut into tiles, and where their vectors go.
  engine::Prompt prompt;
  // [tokens] how much it counts that a token is predicted from those before it; the first one's is never used.
  std::vector<float> weight;
  bool is_document = false;  // a text without speakers: may be cut where it is too long
};

}  // namespace herd::train
