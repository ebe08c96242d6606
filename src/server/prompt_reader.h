// Prompts as OpenAI's completions and embeddings take them: a text, texts, token ids, or lists of those.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/bundle.h"
#include "server/fields.h"

namespace herd::server {

struct PlainPrompt {
  std::vector<std::int32_t> tokens;
  std::string text;  // what was sent, or what the token ids say
};

// The prompts in the member `name`, which must be there, at most `count_max` of them. What is wrong is kept in the
// fields' problem: a kind of value that is no prompt, a token id out of range, an empty list, too many.
std::vector<PlainPrompt> read_plain_prompts(Fields& fields, std::string_view name,
                                            const engine::Bundle& bundle, std::size_t count_max);

}  // namespace herd::server
