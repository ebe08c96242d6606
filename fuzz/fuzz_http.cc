// Bytes of a connection. However they are cut, the same requests come out of them, each within the limits.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "server/request_reader.h"

namespace {

using herd::server::HttpRequest;
using herd::server::RequestReader;
using Progress = RequestReader::Progress;

constexpr std::uint64_t body_max = 4096;

struct Read {
  std::vector<HttpRequest> requests;
  bool fault = false;
};

void check_request(const HttpRequest& request) {
  HERD_CHECK(request.path.starts_with('/') && request.body.size() <= body_max);
  HERD_CHECK(request.headers.size() <= herd::limits::http_headers_max);
  HERD_CHECK(request.path.size() <= herd::limits::http_request_line_bytes_max);
  // Nothing that a log, another parser or an answer's head would take for a line's end.
  for (const auto& [name, value] : request.headers)
    for (const char c : name + value + request.path)
      HERD_CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t');
}

// Everything that `input` says, given `step` bytes at a time.
Read read_all(std::string_view input, std::size_t step) {
  Read out;
  RequestReader reader;
  std::string in;
  bool body = false;
  while (true) {
    Progress progress = body ? reader.read_body(in) : reader.read_head(in, "peer");
    if (progress == Progress::head) progress = reader.set_body_bytes_max(body_max);
    if (progress == Progress::fault) {
      HERD_CHECK(reader.fault().status >= 400 && reader.fault().status < 500);
      HERD_CHECK(!reader.fault().message.empty() && !reader.request().id.empty());
      out.fault = true;
      return out;
    }
    if (progress == Progress::head) {
      body = true;
    } else if (progress == Progress::whole) {
      check_request(reader.request());
      out.requests.push_back(std::move(reader.request()));
      reader.reset();
      body = false;
    } else if (input.empty()) {
      return out;
    } else {
      in += input.substr(0, step);
      input.remove_prefix(std::min(step, input.size()));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = herd::text_of({data, size});
  const Read whole = read_all(input, std::max<std::size_t>(size, 1));
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}}) {
    const Read cut = read_all(input, step);
    HERD_CHECK(cut.fault == whole.fault && cut.requests.size() == whole.requests.size());
    for (std::size_t i = 0; i < cut.requests.size(); ++i) {
      const HttpRequest& a = cut.requests[i];
      const HttpRequest& b = whole.requests[i];
      HERD_CHECK(a.method == b.method && a.path == b.path && a.query == b.query);
      HERD_CHECK(a.body == b.body && a.headers.size() == b.headers.size());
    }
  }
  return 0;
}
