#include "server/port_owner.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace herd::server {
namespace {

namespace fs = std::filesystem;

// "socket:[4711]" of whoever listens; the table is that of proc(5), with the port in hexadecimal.
std::string socket_name(std::uint16_t port) {
  const std::string wanted = fmt::format(":{:04X}", port);
  constexpr std::string_view listening = "0A";
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(table);
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string skipped, local, remote, state, inode;
      words >> skipped >> local >> remote >> state;
      for (int i = 0; i < 6; ++i)
        words >> inode;  // queues, timer, retransmits, uid, timeout, inode
      if (state == listening && local.ends_with(wanted)) return "socket:[" + inode + "]";
    }
  }
  return {};
}

bool holds(const fs::path& process, const std::string& socket) {
  std::error_code error;
  for (fs::directory_iterator entry(process / "fd", error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (fs::read_symlink(entry->path(), gone) == socket) return true;
  }
  return false;
}

}  // namespace

std::string listener_of_port(std::uint16_t port) {
  const std::string socket = socket_name(port);
  if (socket.empty()) return {};
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string pid = entry->path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos || !holds(entry->path(), socket))
      continue;
    std::string name;
    std::getline(std::ifstream(entry->path() / "comm"), name);
    return fmt::format("pid {} ({})", pid, name);
  }
  return {};
}

}  // namespace herd::server
