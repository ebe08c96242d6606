// Where the server keeps what outlives it.
#pragma once

#include <string>

#include "base/file.h"

namespace herd::cli {

// `said` where it is not empty; else $XDG_DATA_HOME/herd, else ~/.local/share/herd.
fs::path data_directory(const std::string& said);

// `said`, else keys.json in the data directory.
fs::path key_file(const std::string& said, const std::string& data);

}  // namespace herd::cli
