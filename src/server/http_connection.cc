// Sockets by Boost.Asio, requests read by RequestReader. One Connection for each socket and one Exchange for
// each request on it; all of a connection's work runs on its strand, so that neither needs a lock.
//
// A read is always pending, also while an answer is made: that is how a client's leaving is noticed.
#include "server/http_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <optional>

#include "server/random_id.h"
#include "server/request_reader.h"

namespace herd::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::size_t read_bytes = 8 * 1024;
// Times the limit of what may wait to be sent: what one event, or a burst of them, may be.
constexpr std::uint64_t burst_factor = 64;
constexpr std::size_t ahead_bytes_max = 16 * 1024;  // of later requests, read while one is answered
constexpr std::chrono::seconds linger{2};           // for the client to read a last answer

class RealConnection;

enum class State : std::uint8_t {
  idle,       // nothing of a request is there
  head,       // something is
  body,       // its head was admitted
  answering,  // it is with the handler
  lingering,  // the last answer is written; what still comes is thrown away
  closed,
};

// One request on a connection.
class RealExchange final : public Exchange, public std::enable_shared_from_this<RealExchange> {
 public:
  // The connection is shared with its socket's operations; it drops its exchange when the answer is complete.
  // `body_bytes` of the request are counted in Shared, until its body is dropped.
  RealExchange(std::shared_ptr<RealConnection> connection, HttpRequest request,
               std::uint64_t body_bytes)
      : connection_(std::move(connection)), request_(std::move(request)), body_bytes_(body_bytes) {}
  RealExchange(const RealExchange&) = delete;
  RealExchange& operator=(const RealExchange&) = delete;
  ~RealExchange() override { drop_body(); }

  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  void drop_body() final;
  void post(std::function<void()> work) override;
  void respond(HttpResponse response) override;
  void begin_stream(HttpResponse head, std::string idle_text) override;
  void write(std::string_view bytes) override;
  void end_stream() override;
  void on_gone(std::function<void()> call) override;
  [[nodiscard]] bool answered() const override { return answered_; }

  void gone();
  // The client says nothing more. An answer that takes time is given up, a quick one still written: who closes one
  // direction behind a request may well be waiting for the other.
  void hung_up();
  // The client has waited long enough for a sign of life.
  void keep_alive(Clock::time_point now);
  [[nodiscard]] bool streams() const { return streaming_ && !over_; }

 private:
  void complete();

  std::shared_ptr<RealConnection> connection_;  // shared with its socket's operations
  HttpRequest request_;
  std::uint64_t body_bytes_;
  std::function<void()> on_gone_;
  std::string idle_text_;
  Clock::time_point last_write_;
  bool answered_ = false;
  bool streaming_ = false;
  bool chunked_ = false;
  bool over_ = false;  // complete, or the client is gone
  bool gone_ = false;
  bool hung_up_ = false;
};

class RealConnection final : public Connection,
                             public std::enable_shared_from_this<RealConnection> {
 public:
  // `shared` is shared by the server and all of its connections.
  RealConnection(tcp::socket socket, std::shared_ptr<Shared> shared, std::string peer,
                 const TlsContext& tls)
      : socket_(std::move(socket)), shared_(std::move(shared)), peer_(std::move(peer)) {
    since_ = Clock::now();
    if (tls) tls_ = std::make_unique<TlsStream>(socket_, *tls);
  }
  RealConnection(const RealConnection&) = delete;
  RealConnection& operator=(const RealConnection&) = delete;
  ~RealConnection() override {
    const std::lock_guard lock(shared_->mutex);
    --shared_->open;
    if (const auto found = shared_->by_address.find(peer_); --found->second == 0)
      shared_->by_address.erase(found);
    shared_->changed.notify_all();
  }

  void start() override {
    on_strand([self = shared_from_this()] { self->tls_ ? self->shake_hands() : self->read(); });
  }

  template <typename Work>
  void on_strand(Work work) {
    asio::post(socket_.get_executor(), std::move(work));
  }

  void tick(Clock::time_point now) override {
    on_strand([self = shared_from_this(), now] { self->check_times(now); });
  }

  void check_times(Clock::time_point now) {
    const HttpOptions& o = shared_->options;
    const auto waited = now - since_;
    switch (state_) {
      case State::idle:
        // The end of the last answer may still be on its way.
        if (writing_)
          since_ = now;
        else if (waited > o.idle_timeout || shared_->draining)
          close_now();
        break;
      case State::head:
        if (waited > o.head_timeout) give_up("the request's head took longer than allowed");
        break;
      case State::body: {
        const auto earned = std::chrono::seconds(reader_.body_bytes() / 1024);
        if (waited > o.body_grace + earned) give_up("the request's body came too slowly");
        break;
      }
      case State::answering:
        if (exchange_) exchange_->keep_alive(now);
        check_backlog(now);
        break;
      case State::lingering:
        if (waited > linger && !writing_) close_now();
        break;
      case State::closed:
        return;
    }
    if (writing_ && now - write_began_ > o.write_timeout) {
      ++shared_->timeouts;
      close_now();
    }
  }

  // Of a stream whose client takes less than is said, for longer than a moment. Who catches up may take its time.
  void check_backlog(Clock::time_point now) {
    const std::uint64_t waits = backlog();
    if (!exchange_ || !exchange_->streams() || waits <= limits::http_backlog_bytes_max) {
      behind_since_.reset();
      return;
    }
    if (!behind_since_ || waits < behind_bytes_) {
      behind_since_ = now;
      behind_bytes_ = waits;
    }
    if (now - *behind_since_ > shared_->options.backlog_grace) give_up_on_reader();
  }

  void give_up_on_reader() {
    ++shared_->timeouts;
    close_now();
  }

  void send(std::string_view bytes) {
    if (state_ == State::closed) return;
    out_ += bytes;
    flush();
  }
  // Bytes that the system has not taken yet.
  [[nodiscard]] std::uint64_t backlog() const { return out_.size() + sending_.size() - sent_; }

  // The head of an answer. `length` -1: in chunks, or until the connection ends.
  void send_head(const HttpRequest& request, const HttpResponse& response, std::int64_t length) {
    if (response.close || shared_->draining) last_ = true;
    const bool chunked = length < 0 && http_1_1_;
    if (length < 0 && !chunked) last_ = true;
    // The id under both of its names: OpenAI's and Anthropic's (T2).
    std::string head =
        fmt::format("HTTP/1.1 {} {}\r\nx-request-id: {}\r\nrequest-id: {}\r\nconnection: {}\r\n",
                    response.status, reason_of(response.status), request.id, request.id,
                    last_ ? "close" : "keep-alive");
    for (const Header& header : request.answer_headers)
      head += fmt::format("{}: {}\r\n", header.name, header.value);
    for (const Header& header : response.headers)
      head += fmt::format("{}: {}\r\n", header.name, header.value);
    if (chunked) head += "transfer-encoding: chunked\r\n";
    if (length >= 0) head += fmt::format("content-length: {}\r\n", length);
    head += "\r\n";
    send(head);
  }

  // The answer in hand is complete.
  void next() {
    exchange_.reset();
    if (state_ == State::closed) return;
    state_ = State::idle;
    since_ = Clock::now();
    --shared_->active;
    if (last_) return end_when_written();
    // Posted, so that a row of requests that are answered at once is not a recursion.
    on_strand([self = shared_from_this()] { self->process(); });
  }

  void close() override {
    on_strand([self = shared_from_this()] { self->close_now(); });
  }

  // On the strand, as all that follows.
  void close_now() {
    if (state_ == State::closed) return;
    const State was = state_;
    state_ = State::closed;
    release_body();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    if (was == State::answering) {
      --shared_->active;
      // May drop the last reference to the exchange, which holds this connection.
      const auto exchange = std::move(exchange_);
      if (exchange) exchange->gone();
    }
  }

  [[nodiscard]] bool is_http_1_1() const { return http_1_1_; }
  [[nodiscard]] const std::shared_ptr<Shared>& shared() const { return shared_; }  // shared by all

 private:
  // Must be done within the time of a head.
  void shake_hands() {
    state_ = State::head;
    tls_->async_handshake(asio::ssl::stream_base::server,
                          [self = shared_from_this()](error_code error) {
                            if (self->state_ == State::closed) return;
                            // No answer to what is no TLS: nobody there would understand it.
                            if (error || self->state_ != State::head) return self->close_now();
                            self->state_ = State::idle;
                            self->since_ = Clock::now();
                            self->shaken_ = true;
                            self->read();
                          });
  }

  void read() {
    if (reading_ || ended_ || state_ == State::closed) return;
    reading_ = true;
    auto handler = [self = shared_from_this()](error_code error, std::size_t bytes) {
      self->reading_ = false;
      self->took(error, bytes);
    };
    if (tls_)
      tls_->async_read_some(asio::buffer(chunk_), std::move(handler));
    else
      socket_.async_read_some(asio::buffer(chunk_), std::move(handler));
  }

  void took(error_code error, std::size_t bytes) {
    if (error == asio::error::eof && state_ != State::lingering) {
      ended_ = true;
      // Copied: it may be the last to hold this connection.
      if (const auto exchange = exchange_; exchange && state_ == State::answering)
        return exchange->hung_up();
      return process();  // a request that came with the one before is still to be answered
    }
    if (error == asio::error::eof && (writing_ || ending_)) {
      ended_ = true;  // the last answer is still on its way out; it ends the connection
      return;
    }
    if (error) return close_now();
    if (state_ == State::lingering) return read();
    in_.append(chunk_.data(), bytes);
    process();
  }

  void process() {
    if (state_ == State::idle && !in_.empty()) {
      state_ = State::head;
      since_ = Clock::now();
    }
    if (state_ == State::head && !read_head()) return;
    if (state_ == State::body) read_body();
    if (state_ == State::closed || state_ == State::lingering) return;
    if (ended_ && state_ != State::answering) return end_when_written();
    // Whoever sends request after request without reading answers is not read from for ever.
    if (state_ == State::answering && in_.size() >= ahead_bytes_max) return;
    read();
  }

  // False when this request is over already.
  bool read_head() {
    switch (reader_.read_head(in_, peer_)) {
      case RequestReader::Progress::more:
        if (ended_)
          end_when_written();
        else
          read();
        return false;
      case RequestReader::Progress::fault:
        return refuse_fault();
      default:
        return admit();
    }
  }

  bool admit() {
    http_1_1_ = reader_.is_http_1_1();
    last_ = !reader_.keeps_alive();
    std::uint64_t body_max = 0;
    if (auto refusal = shared_->handler->admit(reader_.request(), body_max)) {
      // Its body, if there is one, is not worth reading: the connection ends.
      if (reader_.expects_body()) refusal->close = true;
      answer_at_once(std::move(*refusal));
      return false;
    }
    if (reader_.set_body_bytes_max(body_max) == RequestReader::Progress::fault)
      return refuse_fault();
    state_ = State::body;
    since_ = Clock::now();
    if (reader_.expects_body() && reader_.request().header("expect") != nullptr)
      send("HTTP/1.1 100 Continue\r\n\r\n");
    return true;
  }

  void read_body() {
    const RequestReader::Progress progress = reader_.read_body(in_);
    shared_->body_bytes += reader_.body_bytes() - counted_;
    counted_ = reader_.body_bytes();
    if (progress == RequestReader::Progress::fault) {
      refuse_fault();
    } else if (shared_->body_bytes > shared_->options.bodies_bytes_max) {
      refuse(503, "engine_overloaded", "too many large requests at once");
    } else if (progress == RequestReader::Progress::whole) {
      dispatch();
    }
  }

  void release_body() {
    shared_->body_bytes -= counted_;
    counted_ = 0;
  }

  void dispatch() {
    begin_answering();
    asio::post(*shared_->workers,
               [exchange = exchange_, handler = shared_->handler] { handler->handle(exchange); });
  }

  void begin_answering() {
    state_ = State::answering;
    ++shared_->active;
    // Shared by this connection and whoever answers.
    exchange_ = std::make_shared<RealExchange>(shared_from_this(), std::move(reader_.request()),
                                               std::exchange(counted_, 0));
    reader_.reset();
  }

  void answer_at_once(HttpResponse response) {
    begin_answering();
    exchange_->respond(std::move(response));
  }

  bool refuse_fault() {
    const RequestReader::Fault fault = reader_.fault();
    return refuse(fault.status, fault.code, fault.message);
  }

  // Answers and ends the connection: after a malformed request nobody knows where the next one begins.
  bool refuse(int status, std::string_view code, std::string message) {
    if (status != 413 && status != 503) ++shared_->malformed;
    HttpRequest& request = reader_.request();
    if (request.id.empty()) request.id = random_id("req_");
    last_ = true;
    HttpResponse response = shared_->handler->refusal(request, status, code, std::move(message));
    response.close = true;
    in_.clear();
    answer_at_once(std::move(response));
    return false;
  }

  void give_up(std::string message) {
    ++shared_->timeouts;
    if (tls_ && !shaken_) return close_now();
    refuse(408, "request_timeout", std::move(message));
  }

  void end_when_written() {
    state_ = State::lingering;
    since_ = Clock::now();
    ending_ = true;
    flush();
  }

  void flush() {
    if (writing_ || state_ == State::closed) return;
    if (out_.empty()) {
      if (ending_) finish_writing();
      return;
    }
    writing_ = true;
    write_began_ = Clock::now();
    sending_.clear();
    sent_ = 0;
    std::swap(sending_, out_);
    write_some(0);
  }

  // Piece by piece, so that a slow client that does take something is not taken for one that takes nothing.
  void write_some(std::size_t from) {
    auto handler = [self = shared_from_this(), from](error_code error, std::size_t bytes) {
      if (error) return self->close_now();
      self->write_began_ = Clock::now();
      self->sent_ = from + bytes;
      if (from + bytes < self->sending_.size()) return self->write_some(from + bytes);
      self->writing_ = false;
      self->sent_ = 0;
      self->sending_.clear();
      if (self->sending_.capacity() > 64 * 1024) self->sending_ = {};
      self->flush();
    };
    const auto rest = asio::buffer(sending_.data() + from, sending_.size() - from);
    if (tls_)
      tls_->async_write_some(rest, std::move(handler));
    else
      socket_.async_write_some(rest, std::move(handler));
  }

  // The last answer is out. The client may still be sending: a close now would reach it before the answer.
  void finish_writing() {
    ending_ = false;
    since_ = Clock::now();
    if (tls_) {
      // Says that this is the end, so that nobody takes it for a connection that was cut, and waits for the same word.
      tls_->async_shutdown([self = shared_from_this()](error_code) { self->close_now(); });
      return;
    }
    if (ended_) return close_now();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    read();
  }

  using TlsStream = asio::ssl::stream<tcp::socket&>;

  tcp::socket socket_;
  std::unique_ptr<TlsStream> tls_;  // over socket_; null for plain HTTP
  bool shaken_ = false;             // ... and its handshake is done
  std::shared_ptr<Shared> shared_;  // shared with the server and all other connections
  std::string peer_;
  State state_ = State::idle;
  Clock::time_point since_;  // when the state began
  std::array<char, read_bytes> chunk_;
  std::string in_;       // read and not yet understood
  std::string out_;      // to be written next
  std::string sending_;  // being written, from `sent_` on
  std::size_t sent_ = 0;
  Clock::time_point write_began_;
  RequestReader reader_;
  std::shared_ptr<RealExchange> exchange_;         // shared with whoever answers
  std::uint64_t counted_ = 0;                      // of the body in hand, in the sum of all
  std::optional<Clock::time_point> behind_since_;  // more waits to be sent than should,
  std::uint64_t behind_bytes_ = 0;                 // ... and never less than so much since
  bool reading_ = false;
  bool ended_ = false;  // the client has closed its direction
  bool writing_ = false;
  bool http_1_1_ = true;
  bool last_ = false;    // the connection ends after this answer
  bool ending_ = false;  // ... and that answer is in out_
};

void RealExchange::post(std::function<void()> work) {
  connection_->on_strand([self = shared_from_this(), work = std::move(work)] { work(); });
}

void RealExchange::drop_body() {
  connection_->shared()->body_bytes -= std::exchange(body_bytes_, 0);
  std::string().swap(request_.body);
}

void RealExchange::respond(HttpResponse response) {
  if (answered_ || over_) return;
  answered_ = true;
  const bool bodyless = request_.method == "HEAD" || response.status == 204;
  connection_->send_head(request_, response, static_cast<std::int64_t>(response.body.size()));
  if (!bodyless) connection_->send(response.body);
  complete();
}

void RealExchange::begin_stream(HttpResponse head, std::string idle_text) {
  if (answered_ || over_) return;
  answered_ = streaming_ = true;
  chunked_ = connection_->is_http_1_1();
  idle_text_ = std::move(idle_text);
  last_write_ = Clock::now();
  connection_->send_head(request_, head, -1);
}

void RealExchange::write(std::string_view bytes) {
  if (!streaming_ || over_ || bytes.empty()) return;
  last_write_ = Clock::now();
  if (chunked_) {
    connection_->send(fmt::format("{:x}\r\n", bytes.size()));
    connection_->send(bytes);
    connection_->send("\r\n");
  } else {
    connection_->send(bytes);
  }
  // A burst is no slow client: see RealConnection::check_backlog().
  if (connection_->backlog() > burst_factor * limits::http_backlog_bytes_max)
    connection_->give_up_on_reader();
}

void RealExchange::end_stream() {
  if (!streaming_ || over_) return;
  if (chunked_) connection_->send("0\r\n\r\n");
  complete();
}

void RealExchange::complete() {
  over_ = true;
  on_gone_ = nullptr;
  // The connection lets go of this exchange, which may hold the connection alone.
  const auto self = shared_from_this();
  connection_->next();
}

void RealExchange::on_gone(std::function<void()> call) {
  if (gone_) return call();
  if (over_) return;
  on_gone_ = std::move(call);
  if (hung_up_) connection_->close_now();
}

void RealExchange::hung_up() {
  hung_up_ = true;
  if (on_gone_) connection_->close_now();
}

void RealExchange::gone() {
  over_ = gone_ = true;
  if (const auto call = std::move(on_gone_)) call();
}

void RealExchange::keep_alive(Clock::time_point now) {
  if (streaming_ && !over_ && !idle_text_.empty() &&
      now - last_write_ > connection_->shared()->options.keepalive)
    write(std::string(idle_text_));
}

}  // namespace

// Shared: see the header.
std::shared_ptr<Connection> make_connection(tcp::socket socket, std::shared_ptr<Shared> shared,
                                            std::string peer, const TlsContext& tls) {
  // Shared by its own operations and its exchanges.
  return std::make_shared<RealConnection>(std::move(socket), std::move(shared), std::move(peer),
                                          tls);
}

}  // namespace herd::server
