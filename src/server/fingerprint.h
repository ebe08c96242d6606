// The name of what answers: the same weights, build and kernels give the same bits, and others another name.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/file.h"

namespace herd::server {

// What a model is loaded from: directories; .gguf files, which stand for all .gguf files beside them (shards, vision
// encoders); or packed stores, with the vision encoder beside them if there is one. Empty paths are left out.
//
// "fp_" and 16 hexadecimal digits of a hash over the files (names, sizes, their first and last 64 KiB and 64 samples
// between), the program's version and the kernels in use. Reads little, so that a model of any size starts at once.
std::string fingerprint(std::span<const fs::path> parts, std::string_view version,
                        std::string_view kernels);

// The same for what is kept on disk across restarts, where a mistake would be silent: the files' times count too, so
// that weights which differ where nobody sampled are others.
std::string disk_identity(std::span<const fs::path> parts, std::string_view version,
                          std::string_view kernels);

}  // namespace herd::server
