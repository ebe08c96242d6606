// The door of the server: listens, accepts, keeps the time, drains. What happens on a connection is in
// http_connection.cc.
#include "server/http.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include "base/log.h"
#include "server/http_connection.h"
#include "server/port_owner.h"

namespace herd::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

class RealServer final : public HttpServer {
 public:
  RealServer(const HttpOptions& options, HttpHandler& handler)
      : io_(static_cast<std::size_t>(options.io_threads)),
        workers_(static_cast<std::size_t>(options.worker_threads)),
        acceptor_(asio::make_strand(io_)),
        ticker_(asio::make_strand(io_)),
        shared_(std::make_shared<Shared>()) {  // shared with the connections
    shared_->options = options;
    shared_->handler = &handler;
    shared_->workers = &workers_;
  }

  ~RealServer() override {
    drain(std::chrono::milliseconds(0));
    workers_.join();
    io_.stop();
    io_.join();
  }

  Result<void> listen() {
    const HttpOptions& o = shared_->options;
    HERD_TRY_VOID(reload_tls());
    error_code error;
    const auto address =
        asio::ip::make_address(o.host == "localhost" ? "127.0.0.1" : o.host, error);
    if (error)
      return fail(Code::usage, "--host: {} is no address, wanted one such as 127.0.0.1 or 0.0.0.0",
                  shown(o.host));
    const tcp::endpoint endpoint(address, o.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error == asio::error::address_in_use) {
      const std::string owner = listener_of_port(o.port);
      return fail_with_hint(Code::address_in_use,
                            fmt::format("{}:{} is in use by {}", o.host, o.port,
                                        owner.empty() ? "another program" : owner),
                            "choose another with --port, or --port 0 for any free one");
    }
    if (error)
      return fail(Code::io_failed, "cannot listen on {}:{}: {}", o.host, o.port, error.message());
    port_ = acceptor_.local_endpoint(error).port();
    accept();
    tick();
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return port_; }

  [[nodiscard]] HttpState state() const override {
    HttpState state;
    {
      const std::lock_guard lock(shared_->mutex);
      state.connections = shared_->open;
    }
    state.accepted = shared_->accepted;
    state.refused = shared_->refused;
    state.timeouts = shared_->timeouts;
    state.malformed = shared_->malformed;
    state.active = shared_->active;
    state.body_bytes = shared_->body_bytes;
    return state;
  }

  Result<void> reload_tls() override {
    const HttpOptions& o = shared_->options;
    if (o.tls_certificate.empty() && o.tls_key.empty()) return {};
    HERD_TRY(TlsContext tls, load_tls(o.tls_certificate, o.tls_key));
    const std::lock_guard lock(shared_->mutex);
    shared_->tls = std::move(tls);
    return {};
  }

  bool drain(std::chrono::milliseconds grace) override {
    shared_->draining = true;
    asio::post(acceptor_.get_executor(), [this] {
      error_code ignored;
      acceptor_.close(ignored);
    });
    const bool done = wait_until_empty(grace);
    if (!done) {
      for (const auto& connection : connections()) connection->close();
      wait_until_empty(std::chrono::seconds(5));
    }
    return done;
  }

 private:
  // Shared with their own operations.
  std::vector<std::shared_ptr<Connection>> connections() const {
    std::vector<std::shared_ptr<Connection>> alive;  // shared: see above
    const std::lock_guard lock(shared_->mutex);
    std::erase_if(shared_->connections, [&](const std::weak_ptr<Connection>& weak) {
      if (auto connection = weak.lock()) {
        alive.push_back(std::move(connection));
        return false;
      }
      return true;
    });
    return alive;
  }

  bool wait_until_empty(std::chrono::milliseconds grace) {
    std::unique_lock lock(shared_->mutex);
    return shared_->changed.wait_for(lock, grace, [this] { return shared_->open == 0; });
  }

  void accept() {
    acceptor_.async_accept(asio::make_strand(io_), [this](error_code error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (error) {
        // Out of descriptors, most likely: the ones that are open must get a chance to close.
        log(LogLevel::warn, "cannot accept a connection: {}", error.message());
        retry_.expires_after(std::chrono::milliseconds(100));
        retry_.async_wait([this](error_code) {
          if (acceptor_.is_open()) accept();
        });
        return;
      }
      welcome(std::move(socket));
      accept();
    });
  }

  void welcome(tcp::socket socket) {
    ++shared_->accepted;
    error_code error;
    const auto address = socket.remote_endpoint(error).address();
    if (error) return;
    const std::string peer = address.to_string();
    TlsContext tls;
    {
      const std::lock_guard lock(shared_->mutex);
      const HttpOptions& o = shared_->options;
      if (shared_->open >= o.connections_max ||
          (!address.is_loopback() && shared_->by_address[peer] >= o.connections_per_address)) {
        if (shared_->by_address[peer] == 0) shared_->by_address.erase(peer);
        ++shared_->refused;
        return;  // the socket closes
      }
      ++shared_->open;
      tls = shared_->tls;
      ++shared_->by_address[peer];
    }
    socket.set_option(tcp::no_delay(true), error);
    if (shared_->options.socket_send_bytes > 0)
      socket.set_option(tcp::socket::send_buffer_size(shared_->options.socket_send_bytes), error);
    // Shared by the list, weakly, and by its own operations.
    const auto connection = make_connection(std::move(socket), shared_, peer, tls);
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->connections.push_back(connection);
    }
    connection->start();
  }

  void tick() {
    ticker_.expires_after(shared_->options.tick);
    ticker_.async_wait([this](error_code error) {
      if (error) return;
      const auto now = Clock::now();
      for (const auto& connection : connections()) connection->tick(now);
      tick();
    });
  }

  asio::thread_pool io_;
  asio::thread_pool workers_;
  tcp::acceptor acceptor_;
  asio::steady_timer ticker_;
  asio::steady_timer retry_{acceptor_.get_executor()};
  std::shared_ptr<Shared> shared_;  // shared with the connections
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpOptions& options,
                                                      HttpHandler& handler) {
  auto server = std::make_unique<RealServer>(options, handler);
  HERD_TRY_VOID(server->listen());
  return server;
}

}  // namespace herd::server
