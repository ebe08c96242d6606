// The library that kernels are written in, for `herd doctor`.
#pragma once

#include <string_view>

namespace herd::cpu {

// "Highway 1.0.3"
std::string_view vector_library();

}  // namespace herd::cpu
