// Conversations and documents as examples: the same tokens that serving would see, with a weight for each.
#pragma once

#include <functional>
#include <string_view>

#include "engine/bundle.h"
#include "text/conversation.h"
#include "train/example.h"

namespace herd::train {

// The picture that a message's part names.
using FindPicture = std::function<Result<media::Image>(std::string_view source)>;

// What the assistant says weighs 1, its end of turn included; all that it reads weighs `prompt_weight`, pictures
// nothing.
// Fails with conversation_invalid, and with the errors of the pictures.
Result<Example> example_of_chat(const engine::Bundle& bundle,
                                const text::Conversation& conversation,
                                const FindPicture& find_picture, float prompt_weight);

// Begin of text, the text, end of text; every token weighs `weight`.
Example example_of_text(const engine::Bundle& bundle, std::string_view text, float weight);

}  // namespace herd::train
