// How long a sample is, before any tokenizer has seen it.
#pragma once

#include "world/sample.h"

namespace herd::world {

// A tile of cria's is 16 tokens between a few special ones; text is about four bytes a token.
inline constexpr double bytes_per_token = 4;
inline constexpr double tokens_per_tile = 20;

// Bytes of all its text, tool definitions, calls and results included, without the chat format's own tokens.
double text_bytes_of(const Sample& sample);

// The same with pictures counted as text of as many tokens.
double bytes_of(const Sample& sample);

}  // namespace herd::world
