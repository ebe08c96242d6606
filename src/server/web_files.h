// The files of web/, built into the program by cmake/embed.cmake.
#pragma once

#include <span>
#include <string_view>

namespace herd::server {

struct WebFile {
  std::string_view name;
  std::string_view content;
};

std::span<const WebFile> web_files();

}  // namespace herd::server
