// libcurl fetches; one parser (libcurl's own) reads the address, so that what was checked is what is asked for.
#include "server/picture_fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "server/data_url.h"

namespace herd::server {
namespace {

constexpr std::size_t url_bytes_max = 2048;
constexpr long connect_ms = 5000;

template <auto release>
struct Release {
  void operator()(auto* pointer) const { release(pointer); }
};
using UrlPtr = std::unique_ptr<CURLU, Release<::curl_url_cleanup>>;
using HandlePtr = std::unique_ptr<CURL, Release<::curl_easy_cleanup>>;
using ListPtr = std::unique_ptr<curl_slist, Release<::curl_slist_free_all>>;
using AddressesPtr = std::unique_ptr<addrinfo, Release<::freeaddrinfo>>;

struct Network {
  std::uint32_t address;
  int bits;
};
// RFC 6890 and its successors: whatever is not the internet at large.
constexpr Network not_public[] = {
    {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
    {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
    {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 4},  {0xf0000000, 4},
};

bool is_public_v4(std::uint32_t address) {
  return std::ranges::none_of(not_public, [&](const Network& network) {
    return (address ^ network.address) >> (32 - network.bits) == 0;
  });
}

using Bytes16 = std::array<unsigned char, 16>;

bool begins_with(const Bytes16& address, std::initializer_list<unsigned char> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

bool is_public_v6(const Bytes16& address) {
  const auto v4_at = [&](std::size_t at) {
    return std::uint32_t{address[at]} << 24 | std::uint32_t{address[at + 1]} << 16 |
           std::uint32_t{address[at + 2]} << 8 | std::uint32_t{address[at + 3]};
  };
  // 64:ff9b::/96 stands for an IPv4 address, 2002::/16 has one inside.
  if (begins_with(address, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}))
    return is_public_v4(v4_at(12));
  if (begins_with(address, {0x20, 0x02})) return is_public_v4(v4_at(2));
  // Global unicast is 2000::/3; of it, 2001::/23 (Teredo and protocols), 2001:db8::/32 and 3fff::/20 are not.
  if (address[0] >> 5 != 1) return false;
  if (begins_with(address, {0x20, 0x01}) && address[2] < 2) return false;
  if (begins_with(address, {0x20, 0x01, 0x0d, 0xb8})) return false;
  return !(begins_with(address, {0x3f, 0xff}) && address[2] < 0x10);
}

// What one transfer needs to know.
struct Transfer {
  const FetchOptions& options;
  std::vector<std::byte> bytes;
  bool too_large = false;
  bool kept_out = false;
};

// Called before every connection, with the very address it goes to: whatever a name stood for a moment ago.
curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (!transfer.options.may_connect(address->addr)) {
    transfer.kept_out = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t take_bytes(char* bytes, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (transfer.bytes.size() + size * count > transfer.options.bytes_max) {
    transfer.too_large = true;
    return 0;
  }
  const auto* from = static_cast<const std::byte*>(static_cast<const void*>(bytes));
  transfer.bytes.insert(transfer.bytes.end(), from, from + size * count);
  return size * count;
}

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  const std::string copy = text;
  ::curl_free(text);
  return copy;
}

std::unexpected<ApiError> refused(std::string_view param, std::string message) {
  return refuse(400, "url_fetch_refused", std::move(message), std::string(param));
}

struct Place {
  UrlPtr url;
  std::string host;
  std::string port;
};

ApiResult<Place> read_place(std::string_view text, std::string_view param,
                            const FetchOptions& options) {
  const auto wrong = [&](std::string why) {
    return refuse(400, "invalid_image_url", std::move(why), std::string(param));
  };
  // What parsers read in different ways has no place in an address.
  if (text.size() > url_bytes_max || std::ranges::any_of(text, [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f ||
               c == '\\';
      }))
    return wrong(
        "an address has at most 2048 characters, no spaces, backslashes or others that "
        "are not ASCII");
  Place place{.url = UrlPtr(::curl_url()), .host = {}, .port = {}};
  if (place.url == nullptr ||
      ::curl_url_set(place.url.get(), CURLUPART_URL, std::string(text).c_str(),
                     CURLU_DISALLOW_USER) != CURLUE_OK)
    return wrong("no proper address, or one with a user's name in it");
  const std::string scheme = part_of(place.url.get(), CURLUPART_SCHEME);
  if (scheme != "https" && !(options.plain_http && scheme == "http"))
    return refused(param, "pictures are fetched by https alone");
  place.host = part_of(place.url.get(), CURLUPART_HOST);
  std::ranges::transform(place.host, place.host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  place.port = part_of(place.url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (std::ranges::find(options.hosts, place.host) == options.hosts.end())
    return refused(param, fmt::format("this server does not fetch from {}; send the picture itself "
                                      "as a data: URL",
                                      shown(place.host)));
  if (!options.plain_http && place.port != "443")
    return refused(param, "pictures are fetched from port 443 alone");
  return place;
}

// Every address that the name stands for, as libcurl wants it told. All must be allowed: chance may not decide.
ApiResult<std::string> resolve(const Place& place, std::string_view param,
                               const FetchOptions& options) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &list) != 0)
    return refuse(400, "url_fetch_failed", fmt::format("{} has no address", shown(place.host)),
                  std::string(param));
  const AddressesPtr owner(list);
  std::string out = fmt::format("{}:{}:", place.host, place.port);
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    if (!options.may_connect(*each->ai_addr))
      return refused(param,
                     fmt::format("{} stands for an address that is not public", shown(place.host)));
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) != 0)
      continue;
    out += fmt::format("{}{}", each == list ? "" : ",", text.data());
  }
  return out;
}

void set_up(CURL* curl, const Place& place, Transfer& transfer, const curl_slist* resolved) {
  const FetchOptions& options = transfer.options;
  const auto set = [curl](CURLoption option, auto value) {
    // An option that this libcurl does not know would be a hole.
    HERD_CHECK(::curl_easy_setopt(curl, option, value) == CURLE_OK, "{}", static_cast<int>(option));
  };
  set(CURLOPT_CURLU, place.url.get());
  set(CURLOPT_PROTOCOLS_STR, options.plain_http ? "http,https" : "https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_USERAGENT, "herd");
  set(CURLOPT_RESOLVE, resolved);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
  set(CURLOPT_CONNECTTIMEOUT_MS, std::min<long>(connect_ms, options.timeout.count()));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(options.bytes_max));
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&transfer));
  set(CURLOPT_WRITEFUNCTION, take_bytes);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
}

}  // namespace

bool is_public_address(const sockaddr& address) {
  // Copied: a sockaddr is the beginning of one of the two.
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    return is_public_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return false;
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof(v6));
  Bytes16 bytes{};
  std::memcpy(bytes.data(), v6.sin6_addr.s6_addr, bytes.size());
  return is_public_v6(bytes);
}

Result<void> check_media_host(std::string_view host) {
  const bool plain =
      host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string_view::npos;
  const std::string_view last = host.substr(host.find_last_of('.') + 1);
  const bool named = host.contains('.') && !host.starts_with('.') && !host.contains("..") &&
                     last.find_first_of("abcdefghijklmnopqrstuvwxyz") != std::string_view::npos &&
                     !last.starts_with("0x");
  if (plain && named && host.size() <= 253) return {};
  return fail(Code::usage,
              "--allow-media-host: {} is no name of a host in lower case, wanted one such as "
              "images.example.org",
              shown(host));
}

PictureFetcher::PictureFetcher(FetchOptions options) : options_(std::move(options)) {
  // Before any thread asks for it: it is not safe later.
  if (enabled()) ::curl_global_init(CURL_GLOBAL_DEFAULT);
}

ApiResult<std::vector<std::byte>> PictureFetcher::fetch(std::string_view url,
                                                        std::string_view param) const {
  HERD_TRY(const Place place, read_place(url, param, options_));
  struct Turn {
    std::atomic<int>& running;
    const bool mine;
    ~Turn() {
      if (mine) --running;
    }
  };
  // Slow hosts may keep some of the workers waiting, never all of them.
  int before = running_.load();
  while (before < options_.at_once && !running_.compare_exchange_weak(before, before + 1)) {
  }
  const Turn turn{running_, before < options_.at_once};
  if (!turn.mine)
    return std::unexpected(ApiError{503, "engine_overloaded", "other pictures are being fetched",
                                    std::string(param), 1});
  HERD_TRY(const std::string resolved, resolve(place, param, options_));
  const HandlePtr curl(::curl_easy_init());
  const ListPtr list(::curl_slist_append(nullptr, resolved.c_str()));
  HERD_CHECK(curl && list, "libcurl gives no handle");
  Transfer transfer{.options = options_, .bytes = {}};
  set_up(curl.get(), place, transfer, list.get());
  const CURLcode code = ::curl_easy_perform(curl.get());
  long status = 0;
  ::curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (transfer.kept_out)
    return refused(param,
                   fmt::format("{} stands for an address that is not public", shown(place.host)));
  if (transfer.too_large || code == CURLE_FILESIZE_EXCEEDED)
    return refuse(422, "image_too_large",
                  fmt::format("the picture has more than {} bytes", options_.bytes_max),
                  std::string(param));
  if (code != CURLE_OK || status != 200)
    // What went wrong inside the network is for the operator; the caller learns as little as a stranger there.
    return refuse(
        400, "url_fetch_failed",
        status >= 300 && code == CURLE_OK
            ? fmt::format("{} answered {}, wanted 200 without a redirect", shown(place.host),
                          status)
            : fmt::format("{}: {}", shown(place.host),
                          code == CURLE_OPERATION_TIMEDOUT ? "took too long" : "could not be read"),
        std::string(param));
  return std::move(transfer.bytes);
}

ApiResult<std::vector<std::byte>> picture_bytes(std::string_view url, std::string_view param,
                                                const PictureFetcher* fetcher) {
  const bool address = !url.starts_with("data:") && url.contains("://");
  if (address && fetcher != nullptr && fetcher->enabled()) return fetcher->fetch(url, param);
  return decode_data_url(url, param);
}

}  // namespace herd::server
