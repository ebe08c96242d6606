// Pictures by address (spec/reliability.md C5). Off unless the operator names hosts; then only those, only by https,
// only where the name stands for public addresses, without redirects, proxies or credentials, within bounds of time and
// size.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "server/api_error.h"

namespace herd::server {

// Neither private nor loopback, link-local, shared (CGNAT), documentation, multicast, reserved or unspecified, also
// when an IPv4 address is written inside an IPv6 one (mapped, 6to4, NAT64, Teredo).
bool is_public_address(const sockaddr& address);

struct FetchOptions {
  std::vector<std::string> hosts = {};  // in lower case; check_media_host() has seen them
  std::chrono::milliseconds timeout{10'000};
  std::uint64_t bytes_max = limits::image_bytes_max;
  int at_once = 1;  // a worker waits for each
  // For tests, which have no public address: plain http too, and where it may lead.
  bool plain_http = false;
  bool (*may_connect)(const sockaddr&) = is_public_address;
};

// Whether this may be in FetchOptions::hosts: a name with a dot in it, no address, no port. Fails with usage.
Result<void> check_media_host(std::string_view host);

class PictureFetcher {
 public:
  explicit PictureFetcher(FetchOptions options);
  PictureFetcher(const PictureFetcher&) = delete;
  PictureFetcher& operator=(const PictureFetcher&) = delete;

  [[nodiscard]] bool enabled() const { return !options_.hosts.empty(); }

  // What lies there. Blocks. Fails with url_fetch_disabled, invalid_image_url, url_fetch_refused (the host or what it
  // stands for is not allowed), url_fetch_failed, image_too_large, or engine_overloaded when others are waiting.
  ApiResult<std::vector<std::byte>> fetch(std::string_view url, std::string_view param) const;

 private:
  FetchOptions options_;
  mutable std::atomic<int> running_ = 0;
};

// The bytes of a picture that a request names: a data: URL, or an address where `fetcher` (may be null) is enabled.
ApiResult<std::vector<std::byte>> picture_bytes(std::string_view url, std::string_view param,
                                                const PictureFetcher* fetcher);

}  // namespace herd::server
