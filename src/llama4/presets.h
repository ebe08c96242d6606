// The shapes that have a name: the released models as Meta and Hugging Face publish them, and the small one that herd
// carries. For `herd synth` and `herd plan`, which work without a checkpoint.
#pragma once

#include <array>
#include <string_view>

#include "llama4/config.h"

namespace herd::llama4 {

inline constexpr std::array<std::string_view, 3> preset_names{"scout", "maverick", "cria"};

// The configuration of that name, which must be one of the above; `layers` text layers instead of its own, 0 for those.
// Which layer is local, global, dense or of experts follows the model's rule.
Config preset(std::string_view name, std::int64_t layers = 0);

}  // namespace herd::llama4
