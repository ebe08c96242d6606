// HTTP/1.1 as the server speaks it: a few threads for all sockets, bounded everything, and nothing of what the answers
// mean. Boost's headers stay inside http.cc.
//
// Sockets are read and written by `io_threads`, requests are handled on `worker_threads`; no connection has a thread of
// its own. A request's head is checked by an HttpHandler before its body is read, so that who may not enter need not be
// listened to.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace herd::server {

struct Header {
  std::string name;  // of a request: in lower case
  std::string value;
};

struct HttpRequest {
  std::string id;  // "req_" and 128 random bits; goes out as x-request-id
  std::string method;
  std::string path;   // percent-decoded, begins with '/'
  std::string query;  // behind the '?', as it was sent
  std::vector<Header> headers;
  std::string body;
  std::string peer;  // address of the other end
  // Set by HttpHandler::admit:
  std::string key;                     // the id of the API key it came with
  std::vector<Header> answer_headers;  // go out with its answer, whatever that is
  std::shared_ptr<void> ticket;  // shared by copies; goes when nobody answers the request any more

  // The value of the header of this name (in lower case), or null. Names that must not repeat do not.
  [[nodiscard]] const std::string* header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::vector<Header> headers = {};  // beside those that http.cc writes itself
  std::string body = {};
  bool close = false;  // the connection ends with this answer
};

// One request and its answer. Outlives its connection as long as somebody holds it; what is said then goes nowhere.
class Exchange {
 public:
  virtual ~Exchange() = default;

  [[nodiscard]] virtual const HttpRequest& request() const = 0;
  // For whoever handles the request, once it has read its body: the memory is given back. Else it is at the end.
  virtual void drop_body() = 0;

  // Runs `work` on the connection's own strand: one after the other, in the order of the calls. Any thread.
  virtual void post(std::function<void()> work) = 0;

  // The functions below are for the strand alone, that is for work that was posted.

  // The whole answer. What comes after it is ignored.
  virtual void respond(HttpResponse response) = 0;

  // An answer in pieces: its head, then any number of write(), then end_stream(). `idle_text` is sent when nothing was
  // for 15 seconds, so that nobody in between takes the connection for dead; empty for never.
  virtual void begin_stream(HttpResponse head, std::string idle_text) = 0;
  virtual void write(std::string_view bytes) = 0;
  virtual void end_stream() = 0;

  // Called once if the client goes before the answer is complete, or does not take what was written: at once, when it
  // is gone already.
  virtual void on_gone(std::function<void()> call) = 0;

  [[nodiscard]] virtual bool answered() const = 0;  // respond() or begin_stream() has been called
};

// What the server asks and tells. Called from several threads at once; admit() and refusal() must be quick.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // A head has arrived. Gives an answer where the request ends here, or sets how large its body may be; fills in what
  // HttpRequest says.
  virtual std::optional<HttpResponse> admit(HttpRequest& head, std::uint64_t& body_bytes_max) = 0;

  // A whole request. `exchange` is shared by the connection and whoever answers, until the answer is complete.
  virtual void handle(std::shared_ptr<Exchange> exchange) = 0;

  // The answer to what is no request: malformed, too large, too slow. `head` holds what could be read.
  virtual HttpResponse refusal(const HttpRequest& head, int status, std::string_view code,
                               std::string message) = 0;
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;         // 0: any free one
  std::string tls_certificate = {};  // files in PEM; both, or none for plain HTTP
  std::string tls_key = {};
  int io_threads = 1;
  int worker_threads = 2;
  std::uint64_t connections_max = limits::http_connections_max;
  std::uint64_t bodies_bytes_max = limits::http_bodies_bytes_max;  // being read, of all together
  std::uint64_t connections_per_address = 100;                     // not for loopback
  std::chrono::milliseconds head_timeout{10'000};   // from a request's first byte to its empty line
  std::chrono::milliseconds body_grace{10'000};     // then a body must have brought 1 KiB a second
  std::chrono::milliseconds idle_timeout{60'000};   // between requests
  std::chrono::milliseconds write_timeout{30'000};  // without the client taking anything
  std::chrono::milliseconds keepalive{15'000};
  int socket_send_bytes =
      0;  // what the system may hold for a client that is slow; 0 for its own choice
  std::chrono::milliseconds backlog_grace{5'000};  // with more than http_backlog_bytes_max unsent
  std::chrono::milliseconds tick{250};             // how exactly the times are kept
};

// Counters for /metrics.
struct HttpState {
  std::uint64_t connections = 0;  // open now
  std::uint64_t accepted = 0;     // so far
  std::uint64_t refused = 0;      // turned away at the door, full
  std::uint64_t timeouts = 0;     // closed for being slow
  std::uint64_t malformed = 0;
  std::uint64_t active = 0;      // exchanges without a complete answer
  std::uint64_t body_bytes = 0;  // of requests whose bodies are in memory
};

class HttpServer {
 public:
  // Listens and serves until drain() or the destructor. `handler` must outlive it. Fails with address_in_use, or
  // io_failed where the address cannot be listened on at all, and as load_tls() does.
  static Result<std::unique_ptr<HttpServer>> start(const HttpOptions& options,
                                                   HttpHandler& handler);
  HttpServer() = default;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  virtual ~HttpServer() = default;

  [[nodiscard]] virtual std::uint16_t port() const = 0;
  [[nodiscard]] virtual HttpState state() const = 0;

  // Reads the certificate and its key again, for connections from now on; where that fails, the old ones stay. Nothing
  // where there is no TLS.
  virtual Result<void> reload_tls() = 0;

  // Accepts nobody any more and lets the answers that have begun come to their end: true when all did within `grace`.
  virtual bool drain(std::chrono::milliseconds grace) = 0;
};

// The part of a head's check that does not need a parser: lines end with CR LF, no control characters, no folded lines,
// at most limits::http_headers_max headers and limits::http_request_line_bytes_max bytes of request line. `head` ends
// with its empty line. Gives the status and the reason of the refusal.
struct HeadFault {
  int status = 400;
  std::string_view reason;
};
std::optional<HeadFault> check_head(std::string_view head);

// "%2F" to "/"; nothing where the text is no percent-encoding or stands for control characters.
std::optional<std::string> percent_decoded(std::string_view text);

// The words behind a status number.
std::string_view reason_of(int status);

}  // namespace herd::server
