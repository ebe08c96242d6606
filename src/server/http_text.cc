// The parts of http.h that are text alone and need no socket.
#include <algorithm>

#include "server/http.h"

namespace herd::server {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace

const std::string* HttpRequest::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &Header::name);
  return found == headers.end() ? nullptr : &found->value;
}

std::optional<HeadFault> check_head(std::string_view head) {
  std::uint64_t lines = 0;
  while (!head.empty()) {
    const std::size_t end = head.find('\n');
    if (end == std::string_view::npos || end == 0 || head[end - 1] != '\r')
      return HeadFault{400, "a line does not end with CR LF"};
    const std::string_view line = head.substr(0, end - 1);
    head.remove_prefix(end + 1);
    if (lines == 0 && line.size() > limits::http_request_line_bytes_max)
      return HeadFault{414, "the request line is longer than 8192 bytes"};
    if (lines > 0 && !line.empty() && (line.front() == ' ' || line.front() == '\t'))
      return HeadFault{400, "a header goes on in the next line"};
    if (std::ranges::any_of(line, [](char c) { return is_control(c) && c != '\t'; }))
      return HeadFault{400, "a control character stands in the head"};
    if (line.empty()) break;
    if (++lines > limits::http_headers_max + 1) return HeadFault{431, "more than 100 headers"};
  }
  if (!head.empty() || lines == 0) return HeadFault{400, "no request line"};
  return std::nullopt;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (is_control(c)) return std::nullopt;
    out += c;
  }
  return out;
}

std::string_view reason_of(int status) {
  struct Reason {
    int status;
    std::string_view words;
  };
  static constexpr Reason reasons[] = {
      {200, "OK"},
      {204, "No Content"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {503, "Service Unavailable"},
      {529, "Overloaded"},
  };
  const auto found = std::ranges::find(reasons, status, &Reason::status);
  return found == std::end(reasons) ? "Status" : found->words;
}

}  // namespace herd::server
