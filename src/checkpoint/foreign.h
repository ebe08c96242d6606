// Files that are not what their name says, because something went wrong on the way here: a Git-LFS pointer, a web page.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"

namespace herd::checkpoint {

// Fails with lfs_pointer or bad_magic and says what the file is instead of `wanted` ("a safetensors file").
Result<void> refuse_foreign(std::span<const std::byte> file, std::string_view wanted);

}  // namespace herd::checkpoint
