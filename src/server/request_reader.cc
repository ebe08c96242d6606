#include "server/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>

#include "server/random_id.h"

namespace herd::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Parser = http::request_parser<http::empty_body>;

constexpr std::string_view whole_line = "\r\n\r\n";
constexpr std::size_t chunk_line_bytes_max = 256;
constexpr std::size_t chunk_digits_max = 16;
constexpr std::uint64_t trailer_bytes_max = 8 * 1024;
// A body in chunks of one byte is mostly framing; beyond this it is an attack.
constexpr std::uint64_t framing_factor = 8;
constexpr std::uint64_t framing_bytes = 8 * 1024;

// Everything of the head that later code may see. Gives what is wrong with it.
const char* fill_request(const Parser& parser, bool http_1_1, HttpRequest& request) {
  const auto& head = parser.get();
  request.id = random_id("req_");
  request.method = std::string(head.method_string());
  for (const auto& field : head) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    request.headers.push_back({std::move(name), std::string(field.value())});
  }
  for (const char* name : {"host", "content-length", "content-type", "transfer-encoding"})
    if (std::ranges::count(request.headers, name, &Header::name) > 1)
      return "a header that may stand once comes twice";
  if (request.header("content-length") != nullptr && request.header("transfer-encoding") != nullptr)
    return "both Content-Length and Transfer-Encoding";
  if (const std::string* encoding = request.header("transfer-encoding")) {
    std::string lower = *encoding;
    std::ranges::transform(lower, lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (lower != "chunked") return "a transfer encoding other than chunked";
    if (!http_1_1) return "a transfer encoding in HTTP/1.0";
  }
  if (http_1_1 && request.header("host") == nullptr) return "no Host header";
  if (head.version() != 10 && head.version() != 11) return "not HTTP/1.1 or HTTP/1.0";
  const std::string target(head.target());
  if (!target.starts_with('/')) return "the target does not begin with '/'";
  const std::size_t mark = target.find_first_of("?#");
  const auto path = percent_decoded(std::string_view(target).substr(0, mark));
  if (!path) return "the target is not properly percent-encoded";
  request.path = *path;
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  return nullptr;
}

}  // namespace

void RequestReader::reset() {
  request_ = {};
  fault_ = {};
  framing_ = Framing::none;
  body_bytes_ = 0;
}

RequestReader::Progress RequestReader::refuse(int status, std::string_view code,
                                              std::string message) {
  framing_ = Framing::none;
  if (request_.id.empty()) request_.id = random_id("req_");
  fault_ = {status, code, std::move(message)};
  return Progress::fault;
}

RequestReader::Progress RequestReader::too_large(std::uint64_t limit) {
  return refuse(413, "body_too_large",
                fmt::format("the body is larger than {} bytes, the limit here", limit));
}

RequestReader::Progress RequestReader::read_head(std::string& in, const std::string& peer) {
  const std::size_t end = in.find(whole_line);
  const auto head_too_large = [&] {
    return refuse(431, "headers_too_large", "the head is longer than 32768 bytes");
  };
  if (end == std::string::npos) {
    if (in.size() > limits::http_head_bytes_max) return head_too_large();
    // A request line without an end is refused before 32 KiB of it have come.
    if (in.find('\n') == std::string::npos && in.size() > limits::http_request_line_bytes_max + 2)
      return refuse(414, "uri_too_long", "the request line is longer than 8192 bytes");
    return Progress::more;
  }
  const std::size_t size = end + whole_line.size();
  if (size > limits::http_head_bytes_max) return head_too_large();
  if (const auto fault = check_head(std::string_view(in).substr(0, size)))
    return refuse(fault->status, "malformed_request", std::string(fault->reason));
  request_ = {};
  request_.peer = peer;
  return parse_head(in, size);
}

RequestReader::Progress RequestReader::parse_head(std::string& in, std::size_t size) {
  Parser parser;
  parser.header_limit(limits::http_head_bytes_max);
  parser.body_limit(boost::none);  // set_body_bytes_max() looks
  parser.skip(true);
  error_code error;
  parser.put(asio::buffer(in.data(), size), error);
  if (error == http::error::need_more) error = {};
  in.erase(0, size);
  if (!error && !parser.is_header_done()) error = http::error::bad_method;
  if (error) return refuse(400, "malformed_request", error.message());
  http_1_1_ = parser.get().version() >= 11;
  keeps_alive_ = parser.keep_alive();
  if (const char* fault = fill_request(parser, http_1_1_, request_))
    return refuse(400, "malformed_request", fault);
  for (const char* name : {"authorization", "x-api-key"})
    if (std::ranges::count(request_.headers, name, &Header::name) > 1)
      return refuse(400, "duplicate_header", fmt::format("the header {} comes twice", name));
  const bool chunked = request_.header("transfer-encoding") != nullptr;
  left_ = chunked ? 0 : parser.content_length().value_or(0);
  framing_ = chunked ? Framing::chunk_size : left_ > 0 ? Framing::length : Framing::none;
  body_bytes_ = trailer_bytes_ = 0;
  return Progress::head;
}

RequestReader::Progress RequestReader::set_body_bytes_max(std::uint64_t bytes) {
  body_bytes_max_ = bytes;
  if (framing_ == Framing::length && left_ > bytes) return too_large(bytes);
  const std::string* expect = request_.header("expect");
  if (expect != nullptr && *expect != "100-continue")
    return refuse(417, "unsupported_expectation", "only 'Expect: 100-continue' is understood");
  return Progress::head;
}

RequestReader::Progress RequestReader::read_body(std::string& in) {
  std::string_view rest = in;
  Progress progress = framing_ == Framing::none ? Progress::whole : Progress::more;
  while (progress == Progress::more) {
    const std::size_t before = rest.size();
    const bool data = framing_ == Framing::length || framing_ == Framing::chunk_data;
    progress = data ? take_bytes(rest) : take_line(rest);
    body_bytes_ += before - rest.size();
    if (progress != Progress::fault &&
        body_bytes_ > framing_factor * body_bytes_max_ + framing_bytes)
      progress = too_large(body_bytes_max_);
    if (rest.size() == before) break;  // it needs more than there is
  }
  in.erase(0, in.size() - rest.size());
  return progress;
}

RequestReader::Progress RequestReader::take_bytes(std::string_view& in) {
  const std::size_t size = std::min<std::uint64_t>(left_, in.size());
  request_.body += in.substr(0, size);
  in.remove_prefix(size);
  left_ -= size;
  if (left_ > 0) return Progress::more;
  const bool whole = framing_ == Framing::length;
  framing_ = whole ? Framing::none : Framing::chunk_end;
  return whole ? Progress::whole : Progress::more;
}

// The lines between the pieces of a body: a chunk's size, the end behind it, trailers.
RequestReader::Progress RequestReader::take_line(std::string_view& in) {
  const auto bad = [&](const char* why) { return refuse(400, "malformed_request", why); };
  const std::size_t end = in.find('\n');
  const std::string_view line = in.substr(0, std::min(end, in.size()));
  const bool trailer = framing_ == Framing::trailer;
  if (line.size() > (trailer ? trailer_bytes_max : chunk_line_bytes_max))
    return bad("a line of the chunked body is too long");
  if (end == std::string_view::npos) return Progress::more;
  in.remove_prefix(end + 1);
  if (!line.ends_with('\r')) return bad("a line of the chunked body does not end with CR LF");
  const std::string_view text = line.substr(0, line.size() - 1);
  if (std::ranges::any_of(text, [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
      }))
    return bad("a control character stands in the chunked body's framing");
  if (trailer) {
    // Nobody here reads trailers; they count and go.
    trailer_bytes_ += line.size() + 1;
    if (trailer_bytes_ > trailer_bytes_max) return bad("the trailers are longer than 8192 bytes");
    if (!text.empty()) return Progress::more;
    framing_ = Framing::none;
    return Progress::whole;
  }
  if (framing_ == Framing::chunk_size) return begin_chunk(text);
  if (!text.empty()) return bad("a chunk is longer than it said");
  framing_ = Framing::chunk_size;
  return Progress::more;
}

RequestReader::Progress RequestReader::begin_chunk(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find_first_of("; \t"));
  const std::string_view rest = line.substr(digits.size());
  const char* end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, left_, 16);
  const std::size_t extension = rest.find_first_not_of(" \t");
  if (digits.empty() || digits.size() > chunk_digits_max || at != end || error != std::errc{} ||
      (extension != std::string_view::npos && rest[extension] != ';'))
    return refuse(400, "malformed_request", "a chunk's size is no hexadecimal number");
  if (left_ > body_bytes_max_ || request_.body.size() + left_ > body_bytes_max_)
    return too_large(body_bytes_max_);
  framing_ = left_ > 0 ? Framing::chunk_data : Framing::trailer;
  return Progress::more;
}

}  // namespace herd::server
