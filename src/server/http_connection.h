// One connection and the requests on it: http.cc's inside, for http.cc alone. All of a connection's work runs on its
// strand, so that neither it nor its exchanges need a lock.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "server/http.h"
#include "server/tls.h"

namespace herd::server {

// A connection as its server sees it. From any thread.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void start() = 0;
  // Looks at the time: what has taken too long ends.
  virtual void tick(std::chrono::steady_clock::time_point now) = 0;
  virtual void close() = 0;
};

// What all connections of a server share.
struct Shared {
  HttpOptions options;
  HttpHandler* handler = nullptr;
  boost::asio::thread_pool* workers = nullptr;
  TlsContext tls;  // null for plain HTTP; under `mutex`
  std::atomic<bool> draining = false;
  std::atomic<std::uint64_t> accepted = 0, refused = 0, timeouts = 0, malformed = 0, active = 0,
                             body_bytes = 0;
  std::mutex mutex;
  std::condition_variable changed;
  // Connections are shared by their pending operations and their exchanges; this list only looks.
  std::list<std::weak_ptr<Connection>> connections;
  std::map<std::string, std::uint64_t> by_address;
  std::uint64_t open = 0;
};

// The connection is shared by its operations and its exchanges, `shared` by the server and all connections. It is
// counted in shared->open and by_address already, and takes itself off at its end. `tls` is null for plain HTTP.
std::shared_ptr<Connection> make_connection(boost::asio::ip::tcp::socket socket,
                                            std::shared_ptr<Shared> shared, std::string peer,
                                            const TlsContext& tls);

}  // namespace herd::server
