// Plain sentences that mean nothing for the question: what needles are hidden in.
#pragma once

#include <string>
#include <vector>

#include "world/draw.h"

namespace herd::world {

// One sentence with a full stop. No digits, and none of the words code, secret, number, key.
std::string filler_sentence(Draw& draw);

// Sentences of about this many bytes together.
std::vector<std::string> filler(Draw& draw, int bytes);

}  // namespace herd::world
