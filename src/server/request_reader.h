// One request after the other out of the bytes of a connection: HTTP/1.1's framing, strictly, and nothing of sockets,
// times or meanings, so that it can be tried with any bytes. Heads are parsed by Boost.Beast behind stricter checks of
// our own; bodies are ours alone, because Beast 1.81 aborts on a last chunk that comes in pieces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/http.h"

namespace herd::server {

class RequestReader {
 public:
  enum class Progress : std::uint8_t {
    more,   // the bytes so far are the beginning of something
    head,   // the head is there: request() has all but its body
    whole,  // ... and its body too
    fault,  // no request, or too large: nobody knows where the next one begins
  };
  struct Fault {
    int status = 400;
    std::string_view code;  // "malformed_request"
    std::string message;
  };

  // Takes the head of the next request from the front of `in`: more, head or fault. `peer` goes into the request.
  Progress read_head(std::string& in, const std::string& peer);
  // Only after read_head() gave head. Fails the body at once where it announces more than this.
  Progress set_body_bytes_max(std::uint64_t bytes);
  // Takes what there is of the body: more, whole or fault.
  Progress read_body(std::string& in);

  [[nodiscard]] HttpRequest& request() { return request_; }
  [[nodiscard]] const Fault& fault() const { return fault_; }
  [[nodiscard]] bool is_http_1_1() const { return http_1_1_; }
  [[nodiscard]] bool keeps_alive() const { return keeps_alive_; }
  // Whether anything of the body is still to come.
  [[nodiscard]] bool expects_body() const { return framing_ != Framing::none; }
  // Bytes taken for this body so far, framing included.
  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }
  // Lets go of the request that was read, or of what there is of one.
  void reset();

 private:
  // What comes next of the body.
  enum class Framing : std::uint8_t { none, length, chunk_size, chunk_data, chunk_end, trailer };

  Progress refuse(int status, std::string_view code, std::string message);
  Progress too_large(std::uint64_t limit);
  Progress parse_head(std::string& in, std::size_t size);
  // Each takes what it can from the front of `in`: more (also when something was taken), whole or fault.
  Progress take_bytes(std::string_view& in);
  Progress take_line(std::string_view& in);
  Progress begin_chunk(std::string_view line);

  HttpRequest request_;
  Fault fault_;
  Framing framing_ = Framing::none;
  std::uint64_t left_ = 0;  // of the body or the chunk in hand
  std::uint64_t trailer_bytes_ = 0;
  std::uint64_t body_bytes_max_ = 0;
  std::uint64_t body_bytes_ = 0;
  bool http_1_1_ = true;
  bool keeps_alive_ = true;
};

}  // namespace herd::server
