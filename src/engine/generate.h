// From a prompt to an answer: one token after the other until the model, a stop string, a limit or the user ends it.
// This is one request alone, on a Session; engine.h does many at once and gives each the same answer.
#pragma once

#include <functional>
#include <stop_token>
#include <string_view>

#include "engine/answer.h"
#include "engine/session.h"

namespace herd::engine {

// Called with each piece of the answer's text as it becomes certain: whole characters, nothing of a stop string.
using TakeText = std::function<void(std::string_view)>;

// Fails with the errors of Session and Sampler; what was said until then has been handed to `take_text`.
Result<Answer> generate(Session& session, const text::Tokenizer& tokenizer, const Prompt& prompt,
                        const GenerateOptions& options, const TakeText& take_text = {},
                        const Session::Progress& progress = {}, std::stop_token cancel = {});

}  // namespace herd::engine
