// C5, A35: where a server that fetches pictures does not go, and what it takes from where it does. There is no public
// address here, so what is fetched comes from a server of this test, which the test alone declares reachable.
#include "server/picture_fetch.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>

#include <thread>

#include "server/http.h"
#include "server/testing/served.h"

namespace herd::server {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

bool is_public(const char* text) {
  sockaddr_storage storage{};
  void* any = &storage;
  auto* v4 = static_cast<sockaddr_in*>(any);
  auto* v6 = static_cast<sockaddr_in6*>(any);
  if (::inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
  } else {
    EXPECT_EQ(::inet_pton(AF_INET6, text, &v6->sin6_addr), 1) << text;
    v6->sin6_family = AF_INET6;
  }
  return is_public_address(*static_cast<const sockaddr*>(any));
}

TEST(PublicAddress, C5KnowsWhichAddressesArePublic) {
  for (const char* no : {"0.0.0.0",
                         "0.1.2.3",
                         "10.0.0.1",
                         "10.255.255.255",
                         "100.64.0.1",
                         "100.127.255.255",
                         "127.0.0.1",
                         "127.255.255.255",
                         "169.254.169.254",
                         "172.16.0.1",
                         "172.31.255.255",
                         "192.0.0.8",
                         "192.0.2.1",
                         "192.88.99.1",
                         "192.168.0.1",
                         "198.18.0.1",
                         "198.19.255.255",
                         "198.51.100.7",
                         "203.0.113.9",
                         "224.0.0.1",
                         "239.255.255.255",
                         "240.0.0.1",
                         "255.255.255.255",
                         "::",
                         "::1",
                         "::ffff:127.0.0.1",
                         "::ffff:8.8.8.8",
                         "::127.0.0.1",
                         "64:ff9b::7f00:1",
                         "64:ff9b:1::1",
                         "100::1",
                         "2001::1",
                         "2001:db8::1",
                         "2002:7f00:1::",
                         "2002:c0a8:101::1",
                         "3fff::1",
                         "fc00::1",
                         "fd12:3456::1",
                         "fe80::1",
                         "fec0::1",
                         "ff02::1"})
    EXPECT_FALSE(is_public(no)) << no;
  for (const char* yes : {"1.1.1.1",
                          "8.8.8.8",
                          "9.255.255.255",
                          "11.0.0.0",
                          "100.63.255.255",
                          "100.128.0.0",
                          "126.255.255.255",
                          "128.0.0.0",
                          "169.253.255.255",
                          "172.15.255.255",
                          "172.32.0.0",
                          "192.167.255.255",
                          "192.169.0.0",
                          "198.17.255.255",
                          "198.20.0.0",
                          "223.255.255.255",
                          "2001:4860:4860::8888",
                          "2606:4700::1111",
                          "2002:808:808::1",
                          "64:ff9b::808:808"})
    EXPECT_TRUE(is_public(yes)) << yes;
}

// A listener that nobody may reach, and everything that was tried to get there.
class Canary final : public HttpHandler {
 public:
  std::optional<HttpResponse> admit(HttpRequest& head, std::uint64_t&) override {
    ++asked;
    path = head.path;
    if (head.path == "/redirect")
      return HttpResponse{.status = 302, .headers = {{"location", "http://localhost/secret"}}};
    if (head.path == "/large") return HttpResponse{.body = std::string(5000, 'x')};
    if (head.path == "/missing") return HttpResponse{.status = 404, .body = "no"};
    if (head.path == "/picture") return HttpResponse{.body = "bytes of a picture"};
    return std::nullopt;
  }
  // The exchange is shared with its connection. Longer than anybody waits here.
  void handle(std::shared_ptr<Exchange> exchange) override {
    exchange->post([this, exchange] {
      exchange->begin_stream({}, "");
      for (int i = 0; i < 100; ++i) exchange->write(std::string(100, 'x'));
      const std::lock_guard lock(mutex);
      held.push_back(exchange);
    });
  }
  HttpResponse refusal(const HttpRequest&, int status, std::string_view, std::string) override {
    return {.status = status};
  }
  std::atomic<int> asked = 0;
  std::string path;
  std::mutex mutex;
  std::vector<std::shared_ptr<Exchange>> held;  // shared with their connections
};

bool anywhere(const sockaddr&) { return true; }

class PictureFetch : public testing::Test {
 protected:
  PictureFetch() { server_ = std::move(HttpServer::start({.port = 0}, canary_).value()); }
  ~PictureFetch() override {
    const std::lock_guard lock(canary_.mutex);
    canary_.held.clear();
  }
  [[nodiscard]] std::string at(std::string_view path) const {
    return fmt::format("http://localhost:{}{}", server_->port(), path);
  }
  [[nodiscard]] static std::string code(const ApiResult<std::vector<std::byte>>& got) {
    return got ? "ok" : got.error().code;
  }

  Canary canary_;
  std::unique_ptr<HttpServer> server_;
  FetchOptions open_{.hosts = {"localhost"}, .plain_http = true, .may_connect = anywhere};
};

TEST_F(PictureFetch, TakesAPictureAndNothingElse) {
  const PictureFetcher fetcher(open_);
  const auto got = fetcher.fetch(at("/picture"), "p");
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->size(), 18u);
  EXPECT_EQ(code(fetcher.fetch(at("/missing"), "p")), "url_fetch_failed");
  // A redirect is an answer like another that is no picture: nobody goes where it leads.
  const int before = canary_.asked;
  const auto redirected = fetcher.fetch(at("/redirect"), "p");
  EXPECT_EQ(code(redirected), "url_fetch_failed");
  EXPECT_THAT(redirected.error().message, HasSubstr("302"));
  EXPECT_EQ(canary_.asked, before + 1);
  EXPECT_EQ(canary_.path, "/redirect");
}

TEST_F(PictureFetch, BoundsSizeAndTime) {
  FetchOptions options = open_;
  options.bytes_max = 4999;
  const auto large = PictureFetcher(options).fetch(at("/large"), "p");
  EXPECT_EQ(code(large), "image_too_large");
  EXPECT_EQ(large.error().status, 422);
  options.bytes_max = 5000;
  EXPECT_EQ(code(PictureFetcher(options).fetch(at("/large"), "p")), "ok");
  // A stream says no size beforehand and does not end.
  options.bytes_max = 9999;
  EXPECT_EQ(code(PictureFetcher(options).fetch(at("/stream"), "p")), "image_too_large");
  options.bytes_max = 1 << 20;
  options.timeout = milliseconds(200);
  const PictureFetcher patient(options);
  const auto begin = std::chrono::steady_clock::now();
  const auto slow = patient.fetch(at("/stream"), "p");
  EXPECT_EQ(code(slow), "url_fetch_failed");
  EXPECT_THAT(slow.error().message, HasSubstr("too long"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  // While one waits, another is told to come back.
  const auto waiting = [&] {
    const std::lock_guard lock(canary_.mutex);
    return canary_.held.size();
  };
  const std::size_t before = waiting();
  options.timeout = milliseconds(2000);
  const PictureFetcher more_patient(options);
  std::thread first([&] { static_cast<void>(more_patient.fetch(at("/stream"), "p")); });
  while (waiting() == before) std::this_thread::sleep_for(milliseconds(1));
  const std::string other = code(more_patient.fetch(at("/picture"), "p"));
  first.join();
  EXPECT_EQ(other, "engine_overloaded");
}

// More than 400 ways of writing an address of this machine, or what some parser takes for one.
std::vector<std::string> spellings(std::uint16_t port) {
  std::vector<std::string> urls;
  for (const char* host : {"localhost",
                           "LOCALHOST",
                           "localhost.",
                           "127.0.0.1",
                           "127.1",
                           "127.0.1",
                           "0",
                           "0.0.0.0",
                           "2130706433",
                           "0x7f000001",
                           "0x7f.1",
                           "0x7F.0.0.1",
                           "017700000001",
                           "0177.0.0.1",
                           "00127.0.0.1",
                           "127.0.0.1.",
                           "[::1]",
                           "[::]",
                           "[0:0:0:0:0:0:0:1]",
                           "[::ffff:127.0.0.1]",
                           "[::ffff:7f00:1]",
                           "[::127.0.0.1]",
                           "[::1%25lo]",
                           "[::1%lo]",
                           "169.254.169.254",
                           "[fe80::1]",
                           "10.0.0.1",
                           "%6c%6f%63%61%6c%68%6f%73%74",
                           "%31%32%37.0.0.1",
                           "images.example.org@127.0.0.1",
                           "images.example.org:x@127.0.0.1",
                           "127.0.0.1#@images.example.org",
                           "images.example.org\\@127.0.0.1",
                           "127.0.0.1\\@images.example.org",
                           "images.example.org%00@127.0.0.1",
                           "images.example.org%2f@127.0.0.1",
                           "①②⑦.0.0.1",
                           "127。0。0。1",
                           "locaIhost",
                           "localhost\t",
                           "local\nhost",
                           "images.example.org.127.0.0.1.nip.io",
                           "localtest.me",
                           "ﬁle",
                           "127.0.0.1,images.example.org",
                           ""})
    for (const char* scheme : {"http://", "https://", "HTTP://", "http:/", "http:///", "http:\\\\",
                               "//", "ftp://", "gopher://", "file://", "dict://"})
      urls.push_back(fmt::format("{}{}:{}/secret", scheme, host, port));
  for (const char* other :
       {"file:///etc/passwd", "http://", "http:localhost", "://localhost",
        "http://localhost:99999/", "http://localhost:-1/", "http://localhost:80:80/",
        "data:text/plain,x", "jar:http://localhost!/", "netdoc:///etc/passwd", "smb://localhost/x",
        "http://[", "http://[::1", "http://localhost /"})
    urls.emplace_back(other);
  return urls;
}

// Spellings that lead parsers and checks astray. The host that is allowed stands for this machine, so nothing may come
// through: not by its own name either.
TEST_F(PictureFetch, C5ReachesNothingThatIsNotPublic) {
  FetchOptions options = open_;
  options.may_connect = is_public_address;
  options.hosts = {"localhost", "images.example.org", "127.0.0.1", "[::1]", "0.0.0.0"};
  const PictureFetcher fetcher(options);
  const std::vector<std::string> urls = spellings(server_->port());
  EXPECT_GT(urls.size(), 400u);
  const auto begin = std::chrono::steady_clock::now();
  for (const std::string& url : urls) {
    const auto got = picture_bytes(url, "p", &fetcher);
    ASSERT_FALSE(got.has_value()) << url;
    EXPECT_GE(got.error().status, 400) << url;
    EXPECT_LT(got.error().status, 500) << url << got.error().message;
  }
  EXPECT_EQ(canary_.asked, 0);
  EXPECT_EQ(server_->state().accepted, 0u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

// A name that stands for a public address while it is checked and for this machine when it is called: the check is made
// again on the very address of each connection.
TEST_F(PictureFetch, C5ChecksTheAddressOfTheConnectionItself) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  ASSERT_EQ(::getaddrinfo("localhost", "80", &hints, &list), 0);
  static std::atomic<int> lies;
  lies = 0;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) ++lies;
  ::freeaddrinfo(list);
  FetchOptions options = open_;
  // As with a name server that answers differently the second time: all that is looked up first is taken for public.
  options.may_connect = [](const sockaddr& address) {
    return lies-- > 0 || is_public_address(address);
  };
  const auto got = PictureFetcher(options).fetch(
      fmt::format("http://localhost:{}/secret", server_->port()), "p");
  EXPECT_EQ(code(got), "url_fetch_refused");
  EXPECT_LT(lies, 0);
  EXPECT_EQ(canary_.asked, 0);
}

TEST_F(PictureFetch, AsksNamedHostsByHttpsAlone) {
  FetchOptions options = open_;
  options.hosts = {"images.example.org"};
  EXPECT_EQ(code(PictureFetcher(options).fetch(at("/picture"), "p")), "url_fetch_refused");
  options = open_;
  options.plain_http = false;
  EXPECT_EQ(code(PictureFetcher(options).fetch(at("/picture"), "p")), "url_fetch_refused");
  EXPECT_EQ(code(PictureFetcher(options).fetch("https://localhost:8443/", "p")),
            "url_fetch_refused");
  EXPECT_EQ(canary_.asked, 0);
  for (const char* wrong : {"*", "localhost", "127.0.0.1", "example.org:443", "https://example.org",
                            "Example.org", "0x7f.0x1", "a..b", ".org", "[::1]", ""})
    EXPECT_EQ(check_media_host(wrong).error().code, Code::usage) << wrong;
  EXPECT_TRUE(check_media_host("images.example.org").has_value());
}

// A35: off unless hosts are named, on both surfaces; when on, a picture by address is seen like one that was sent.
TEST_F(PictureFetch, A35IsOffUnlessHostsAreNamed) {
  const auto ask = [&](const Served& served, bool anthropic) {
    const std::string url = at("/picture");
    const json::object part =
        anthropic ? json::object{{"type", "image"}, {"source", {{"type", "url"}, {"url", url}}}}
                  : json::object{{"type", "image_url"}, {"image_url", {{"url", url}}}};
    const json::array messages{json::object{{"role", "user"}, {"content", json::array{part}}}};
    return text_at(parsed(served.post(anthropic ? "/v1/messages" : "/v1/chat/completions",
                                      chat({{"messages", messages}}))),
                   anthropic ? "error.message" : "error.code");
  };
  {
    const Served off;
    EXPECT_EQ(ask(off, false), "url_fetch_disabled");
    EXPECT_THAT(ask(off, true), HasSubstr("--allow-media-host"));
    EXPECT_EQ(canary_.asked, 0);
  }
  const Served on({.context = 2048}, nullptr, {.pictures = open_});
  EXPECT_EQ(ask(on, false), "unsupported_image_format") << "fetched, and no picture";
  EXPECT_FALSE(ask(on, true).empty());
  EXPECT_EQ(canary_.asked, 2);
}

}  // namespace
}  // namespace herd::server
