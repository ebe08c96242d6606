// A prompt from what stands on the command line: a text, pictures in front of it, and instructions.
#pragma once

#include <string>
#include <vector>

#include "engine/bundle.h"

namespace herd::cli {

struct TextPrompt {
  std::string text;
  std::vector<std::string> images = {};  // files
  std::string system = {};               // with `chat` only
  bool chat =
      true;  // as a user's message in the model's chat format, up to the answer; else plain text
};

// Pictures come first in both forms. Fails with the errors of read_images, Bundle::cut and Bundle::chat_prompt.
Result<engine::Prompt> make_prompt(const TextPrompt& said, const engine::Bundle& bundle);

}  // namespace herd::cli
