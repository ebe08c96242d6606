// Which program listens on a port of this machine, as far as /proc tells: for a message that helps.
#pragma once

#include <cstdint>
#include <string>

namespace herd::server {

// "pid 812 (herd)"; empty where it cannot be found out, because it belongs to somebody else.
std::string listener_of_port(std::uint16_t port);

}  // namespace herd::server
