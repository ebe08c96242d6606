// Which path is which endpoint, and who may enter. What is not in the table is not served.
#pragma once

#include <map>
#include <mutex>
#include <span>
#include <string_view>

#include "server/endpoints.h"
#include "server/keys.h"
#include "server/traffic.h"

namespace herd::server {

struct Route {
  std::string_view method;
  std::string_view path;  // one that ends with '/' also takes what stands behind it
  Scope scope;            // none: open to everybody
  std::uint64_t body_bytes_max;
  Surface surface;  // whose errors it gives
  void (*run)(Service& service, SharedExchange exchange);
};

std::span<const Route> routes();

// The door: finds the route, checks where the request comes from and its key, then runs the endpoint.
class Router final : public HttpHandler {
 public:
  explicit Router(Service& service) : service_(service) {}

  std::optional<HttpResponse> admit(HttpRequest& head, std::uint64_t& body_bytes_max) override;
  void handle(SharedExchange exchange) override;
  HttpResponse refusal(const HttpRequest& head, int status, std::string_view code,
                       std::string message) override;

 private:
  // Leaves the headers of CORS in `head`.
  [[nodiscard]] ApiResult<> check_origin(HttpRequest& head) const;
  ApiResult<> check_key(HttpRequest& head, Scope scope);
  // The key's limits: leaves ticket and headers in `head`.
  ApiResult<> check_traffic(HttpRequest& head, const KeyLimits& limits);
  // Counts a wrong key from this address; true beyond what is tolerated.
  bool is_guessing(const std::string& peer);

  Service& service_;
  Traffic traffic_;
  struct Guesses {
    std::uint64_t failed = 0;
    std::chrono::steady_clock::time_point since;
  };
  std::mutex mutex_;
  std::map<std::string, Guesses> guesses_;  // by address
};

}  // namespace herd::server
