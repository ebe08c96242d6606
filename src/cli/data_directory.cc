#include "cli/data_directory.h"

#include <cstdlib>

namespace herd::cli {

fs::path data_directory(const std::string& said) {
  if (!said.empty()) return said;
  if (const char* base = std::getenv("XDG_DATA_HOME"); base != nullptr && *base == '/')
    return fs::path(base) / "herd";
  const char* home = std::getenv("HOME");
  return fs::path(home == nullptr ? "." : home) / ".local/share/herd";
}

fs::path key_file(const std::string& said, const std::string& data) {
  return said.empty() ? data_directory(data) / "keys.json" : fs::path(said);
}

}  // namespace herd::cli
