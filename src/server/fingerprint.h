// The name of what answers: the same weights, build and kernels give the same bits, and others another name.
#pragma once

#include <string>
#include <string_view>

#include "base/file.h"

namespace herd::server {

// "fp_" and 16 hexadecimal digits of a hash over the model's files (names, sizes, their first and last 64 KiB), the
// program's version and the kernels in use. Reads little, so that a model of any size starts at once.
std::string fingerprint(const fs::path& model, std::string_view version, std::string_view kernels);

}  // namespace herd::server
