#include "server/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "server/testing/raw_client.h"

namespace herd::server {
namespace {

using std::chrono::milliseconds;

// /echo gives the body back, /slow answers when told to, /stream sends what it is told to send.
class Handler final : public HttpHandler {
 public:
  std::optional<HttpResponse> admit(HttpRequest& head, std::uint64_t& body_bytes_max) override {
    body_bytes_max = 1000;
    if (head.path == "/forbidden") return HttpResponse{.status = 403, .body = "no"};
    return std::nullopt;
  }
  void handle(std::shared_ptr<Exchange> exchange) override {  // shared with the connection
    const HttpRequest& request = exchange->request();
    if (request.path == "/slow" || request.path == "/stream") {
      exchange->post([this, exchange] {
        if (exchange->request().path == "/stream") exchange->begin_stream({}, ": idle\n\n");
        exchange->on_gone([this] { ++gone; });
        const std::lock_guard lock(mutex);
        held = exchange;
        ++arrived;
      });
      return;
    }
    exchange->post([exchange] {
      exchange->respond({.body = exchange->request().path + " " + exchange->request().body});
    });
  }
  HttpResponse refusal(const HttpRequest&, int status, std::string_view code,
                       std::string message) override {
    return {.status = status, .body = fmt::format("{}: {}", code, message)};
  }

  void wait_for_arrival() const {
    while (arrived == 0) std::this_thread::sleep_for(milliseconds(1));
  }
  template <typename Work>
  void with_held(Work work) {
    const std::lock_guard lock(mutex);
    held->post([exchange = held, work] { work(*exchange); });
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    held.reset();
  }

  std::atomic<int> gone = 0, arrived = 0;
  std::mutex mutex;
  std::shared_ptr<Exchange> held;  // shared with the connection
};

class Http : public ::testing::Test {
 protected:
  void start(HttpOptions options = {}) {
    options.port = 0;
    auto started = HttpServer::start(options, handler_);
    ASSERT_TRUE(started.has_value()) << to_string(started.error());
    server_ = std::move(*started);
  }
  [[nodiscard]] Received once(std::string_view request) const {
    RawClient client(server_->port());
    EXPECT_TRUE(client.send(request));
    return client.receive();
  }
  bool within(milliseconds time, const std::function<bool()>& holds) const {
    for (const auto end = std::chrono::steady_clock::now() + time;
         std::chrono::steady_clock::now() < end;)
      if (holds())
        return true;
      else
        std::this_thread::sleep_for(milliseconds(5));
    return holds();
  }

  Handler handler_;
  std::unique_ptr<HttpServer> server_;
};

constexpr std::string_view get = "GET /a%2Fb?x=1 HTTP/1.1\r\nHost: x\r\n\r\n";

std::string post_of(std::string_view path, std::string_view body) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", path,
                     body.size(), body);
}

TEST_F(Http, AnswersSeveralRequestsOnOneConnection) {
  start();
  RawClient client(server_->port());
  client.send(get);
  Received got = client.receive();
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "/a/b ");
  EXPECT_EQ(got.header("x-request-id").size(), 36u);
  EXPECT_EQ(got.header("connection"), "keep-alive");
  // Two at once, the first one's body in pieces.
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  client.send("cde");
  client.send(get);
  EXPECT_EQ(client.receive().body, "/echo abcde");
  EXPECT_EQ(client.receive().body, "/a/b ");
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.send("2;x=y\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.receive().body, "/echo abcde");
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), ::testing::HasSubstr("HTTP/1.1 100 Continue"));
  client.send("hi");
  EXPECT_EQ(client.receive().body, "/echo hi");
  client.send("GET /x HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.receive().header("connection"), "close");
  EXPECT_TRUE(client.closed());
}

// Often, because the end may come while an answer is computed, while it is written, or between the two.
TEST_F(Http, AnswersWhoClosesItsDirectionBehindTheRequest) {
  start();
  for (int i = 0; i < 100; ++i) {
    RawClient client(server_->port());
    client.send(std::string(get) + std::string(get));
    client.half_close();
    ASSERT_EQ(client.receive().body, "/a/b ");
    ASSERT_EQ(client.receive().body, "/a/b ");
    ASSERT_TRUE(client.closed());
  }
}

// The last answer is on its way, and the connection only waits for its client's end, which comes early.
TEST_F(Http, AnswersWhoClosesItsDirectionWhileTheLastAnswerIsWritten) {
  start({.socket_send_bytes = 4096});
  RawClient client(server_->port(), 1024);
  client.send(post_of("/slow", ""));
  handler_.wait_for_arrival();
  const std::string body(300'000, 'x');
  handler_.with_held([&](Exchange& exchange) { exchange.respond({.body = body, .close = true}); });
  handler_.let_go();
  client.read_until("\r\n\r\n");
  client.half_close();
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_TRUE(client.receive().body == body);
}

// A39, D1, D2, D3, A24, A36: each is refused with its own status, and the connection ends.
TEST_F(Http, A39A36A24RefusesWhatIsAmbiguousOrTooLarge) {
  start();
  const auto headers = [](std::uint64_t n) {
    std::string lines;
    for (std::uint64_t i = 0; i < n; ++i) lines += fmt::format("h{}: 1\r\n", i);
    return lines;
  };
  const std::string start_line = "POST /echo HTTP/1.1\r\nHost: x\r\n";
  const struct {
    std::string request;
    int status;
  } cases[] = {
      {start_line + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {start_line + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400},
      {start_line + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nab", 400},
      {start_line + "Content-Length: -1\r\n\r\n", 400},
      {start_line + "Content-Length: 1x\r\n\r\n", 400},
      {start_line + "Transfer-Encoding: gzip, chunked\r\nTransfer-Encoding: x\r\n\r\n", 400},
      {start_line + "Transfer-Encoding: identity\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: x\n\n\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
      {std::string("GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 33), 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
      {"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /%0a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /%4 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400},
      {"nonsense\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {"GET /" + std::string(limits::http_request_line_bytes_max - 13, 'a') +
           " HTTP/1.1\r\nHost: x\r\n\r\n",
       414},
      {"GET /" + std::string(9000, 'a'), 414},
      {"GET / HTTP/1.1\r\nHost: x\r\n" + headers(limits::http_headers_max) + "\r\n", 431},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(limits::http_head_bytes_max, 'a') +
           "\r\n\r\n",
       431},
      {start_line + "Content-Length: 1001\r\n\r\n", 413},
      {start_line + "Content-Length: 99999999999\r\n\r\n", 413},
      {start_line + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'a') + "\r\n",
       413},
      {start_line + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400},
      {start_line + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(20'000, 'a'), 400},
      {start_line + "Content-Length: 2\r\nExpect: magic\r\n\r\n", 417},
  };
  for (const auto& each : cases) {
    RawClient client(server_->port());
    client.send(each.request);
    const Received got = client.receive();
    EXPECT_EQ(got.status, each.status) << each.request.substr(0, 100) << "\n" << got.body;
    EXPECT_EQ(got.header("connection"), "close") << each.request.substr(0, 100);
    EXPECT_TRUE(client.closed()) << each.request.substr(0, 100);
  }
  EXPECT_EQ(
      once("GET / HTTP/1.1\r\nHost: x\r\n" + headers(limits::http_headers_max - 1) + "\r\n").status,
      200);
  EXPECT_EQ(once(post_of("/echo", std::string(1000, 'a'))).status, 200);
}

TEST_F(Http, AnswersBeforeTheBodyWhoMayNotEnter) {
  start();
  RawClient client(server_->port());
  client.send("POST /forbidden HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n");
  EXPECT_EQ(client.receive().status, 403);
  EXPECT_TRUE(client.closed());
}

TEST_F(Http, T6T7StreamsInChunksAndKeepsTheLineAlive) {
  start({.keepalive = milliseconds(60), .tick = milliseconds(20)});
  RawClient client(server_->port());
  client.send(post_of("/stream", ""));
  handler_.wait_for_arrival();
  EXPECT_THAT(client.read_until(": idle"), ::testing::HasSubstr("8\r\n: idle"));
  handler_.with_held([](Exchange& exchange) {
    exchange.write("data: 1\n\n");
    exchange.end_stream();
    exchange.write("never");
  });
  const Received got = client.receive();
  EXPECT_TRUE(got.body.starts_with(": idle\n\n")) << got.body;
  EXPECT_TRUE(got.body.ends_with("data: 1\n\n")) << got.body;
  client.send(get);
  EXPECT_EQ(client.receive().status, 200);
  handler_.let_go();
}

// F1: also of a request that is only waiting for its answer.
TEST_F(Http, NoticesThatTheClientIsGone) {
  start();
  for (const char* path : {"/slow", "/stream"})
    for (const bool reset : {false, true}) {
      handler_.arrived = handler_.gone = 0;
      RawClient client(server_->port());
      client.send(post_of(path, ""));
      handler_.wait_for_arrival();
      EXPECT_EQ(handler_.gone, 0);
      reset ? client.reset() : client.close();
      EXPECT_TRUE(within(milliseconds(2000), [&] { return handler_.gone == 1; })) << path << reset;
      handler_.let_go();
      EXPECT_TRUE(within(milliseconds(2000), [&] { return server_->state().connections == 0; }));
      EXPECT_EQ(server_->state().active, 0u);
    }
}

// D2: bodies in chunks, however they arrive; a last chunk in pieces, too.
TEST_F(Http, D2ReadsChunkedBodiesInPieces) {
  start();
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body :
       {"0\r\n\r\n", "1\r\na\r\n02;ext=\"x\"\r\nbc\r\n000\r\nTrailer: 1\r\n\r\n"}) {
    RawClient client(server_->port());
    for (const char c : head + body) {
      client.send({&c, 1});
      // Long enough for one to be read alone now and then.
      if (c == '\n' || c == '\r') std::this_thread::sleep_for(milliseconds(3));
    }
    const Received got = client.receive();
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, body[0] == '0' ? "/echo " : "/echo abc");
  }
  for (const char* body :
       {"-1\r\n", "0x1\r\na\r\n", "10000000000000001\r\n", "\r\n", "g\r\n", "1 x\r\na\r\n0\r\n\r\n",
        "1\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "0\r\nA: \x01\r\n\r\n"}) {
    RawClient client(server_->port());
    client.send(head + body);
    EXPECT_EQ(client.receive().status, 400) << body;
    EXPECT_TRUE(client.closed(2000));
  }
  RawClient endless(server_->port());
  endless.send(head + "1;" + std::string(300, 'a'));
  EXPECT_EQ(endless.receive().status, 400);
  RawClient large(server_->port());
  large.send(head + "fffffffffffffff\r\n");
  EXPECT_EQ(large.receive().status, 413);
}

// D8.
TEST_F(Http, D8EndsConnectionsThatAreSlow) {
  start({.head_timeout = milliseconds(100),
         .body_grace = milliseconds(100),
         .idle_timeout = milliseconds(100),
         .tick = milliseconds(10)});
  RawClient idle(server_->port());
  RawClient head(server_->port());
  RawClient body(server_->port());
  head.send("GET / HTTP/1.1\r\n");
  body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab");
  EXPECT_EQ(head.receive(2000).status, 408);
  EXPECT_EQ(body.receive(2000).status, 408);
  EXPECT_TRUE(idle.closed(2000));
  EXPECT_EQ(server_->state().timeouts, 2u);
}

TEST_F(Http, EndsStreamsWhoseReaderFallsTooFarBehind) {
  start({.backlog_grace = milliseconds(200), .tick = milliseconds(20)});
  RawClient client(server_->port());
  client.send(post_of("/stream", ""));
  handler_.wait_for_arrival();
  handler_.with_held([](Exchange& exchange) {
    exchange.write(std::string(limits::http_backlog_bytes_max - 1000, 'x'));
  });
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(handler_.gone, 0);
  handler_.with_held([](Exchange& exchange) {
    for (int i = 0; i < 40; ++i)  // more than any socket's buffers hold
      exchange.write(std::string(limits::http_backlog_bytes_max, 'x'));
  });
  EXPECT_TRUE(within(milliseconds(2000), [&] { return handler_.gone == 1; }));
  handler_.let_go();
}

TEST_F(Http, EndsStreamsThatNobodyReads) {
  start({.write_timeout = milliseconds(200), .tick = milliseconds(20)});
  RawClient client(server_->port());
  client.send(post_of("/stream", ""));
  handler_.wait_for_arrival();
  for (int i = 0; i < 20'000 && handler_.gone == 0; ++i)
    handler_.with_held([](Exchange& exchange) { exchange.write(std::string(1000, 'x')); });
  EXPECT_TRUE(within(milliseconds(3000), [&] { return handler_.gone == 1; }));
  handler_.let_go();
  EXPECT_TRUE(within(milliseconds(2000), [&] { return server_->state().connections == 0; }));
}

TEST_F(Http, DrainsWhatHasBegunAndNothingElse) {
  start({.tick = milliseconds(10)});
  RawClient idle(server_->port());
  RawClient busy(server_->port());
  busy.send(post_of("/slow", ""));
  handler_.wait_for_arrival();
  std::thread answering([&] {
    std::this_thread::sleep_for(milliseconds(200));
    handler_.with_held([](Exchange& exchange) { exchange.respond({.body = "done"}); });
    handler_.let_go();
  });
  EXPECT_TRUE(server_->drain(milliseconds(5000)));
  answering.join();
  const Received got = busy.receive();
  EXPECT_EQ(got.body, "done");
  EXPECT_EQ(got.header("connection"), "close");
  EXPECT_TRUE(idle.closed());
  EXPECT_FALSE(RawClient(server_->port()).connected());
}

TEST_F(Http, TurnsAwayWhoIsOneTooMany) {
  start({.connections_max = 2});
  RawClient one(server_->port());
  RawClient two(server_->port());
  one.send(get);
  two.send(get);
  EXPECT_EQ(one.receive().status, 200);
  EXPECT_EQ(two.receive().status, 200);
  RawClient three(server_->port());
  EXPECT_TRUE(three.closed(2000));
  EXPECT_EQ(server_->state().refused, 1u);
  EXPECT_EQ(HttpOptions().connections_max, limits::http_connections_max);
}

// All bodies together are bounded: beyond it, whoever brings more is asked to come back.
TEST_F(Http, BoundsWhatAllBodiesHoldTogether) {
  start({.bodies_bytes_max = 1500});
  EXPECT_EQ(HttpOptions().bodies_bytes_max, limits::http_bodies_bytes_max);
  RawClient one(server_->port());
  RawClient two(server_->port());
  const std::string asked = post_of("/echo", std::string(1000, 'a'));
  one.send(asked.substr(0, asked.size() - 50));
  EXPECT_TRUE(within(milliseconds(2000), [&] { return server_->state().body_bytes == 950; }));
  two.send(asked.substr(0, asked.size() - 50));
  EXPECT_EQ(two.receive().status, 503);
  one.send(std::string(50, 'a'));
  EXPECT_EQ(one.receive().status, 200);
  EXPECT_TRUE(within(milliseconds(2000), [&] { return server_->state().body_bytes == 0; }));
}

// ... and until whoever handles it has read it, a body is there.
TEST_F(Http, CountsABodyUntilItIsRead) {
  start();
  RawClient client(server_->port());
  client.send(post_of("/slow", std::string(900, 'a')));
  handler_.wait_for_arrival();
  EXPECT_EQ(server_->state().body_bytes, 900u);
  handler_.with_held([](Exchange& exchange) { exchange.drop_body(); });
  EXPECT_TRUE(within(milliseconds(2000), [&] { return server_->state().body_bytes == 0; }));
  handler_.with_held([](Exchange& exchange) { exchange.respond({.body = "done"}); });
  EXPECT_EQ(client.receive().body, "done");
  handler_.let_go();
}

// Neither the time between requests nor the server's end cuts an answer that its client is taking.
TEST_F(Http, AnswersAreTakenToTheirEndHoweverLongItTakes) {
  for (const bool ends : {false, true}) {
    handler_.arrived = 0;
    start({.idle_timeout = milliseconds(100), .socket_send_bytes = 4096, .tick = milliseconds(20)});
    RawClient client(server_->port(), 4096);
    client.send(post_of("/slow", ""));
    handler_.wait_for_arrival();
    constexpr std::size_t size = 3 << 20;
    handler_.with_held(
        [](Exchange& exchange) { exchange.respond({.body = std::string(size, 'x')}); });
    handler_.let_go();
    EXPECT_THAT(client.read_until("\r\n\r\n"), ::testing::HasSubstr("200"));
    std::thread ending;
    if (ends) ending = std::thread([this] { server_->drain(milliseconds(10'000)); });
    std::this_thread::sleep_for(milliseconds(400));
    EXPECT_EQ(client.receive().body.size(), size);
    if (ends) ending.join();
    server_.reset();
  }
}

// What comes at once and is taken is no slow client, however much it is.
TEST_F(Http, ABurstIsSentWhole) {
  start({.socket_send_bytes = 4096, .tick = milliseconds(20)});
  RawClient client(server_->port());
  client.send(post_of("/stream", ""));
  handler_.wait_for_arrival();
  handler_.with_held([](Exchange& exchange) {
    for (int i = 0; i < 5; ++i) exchange.write(std::string(limits::http_backlog_bytes_max, 'x'));
    exchange.end_stream();
  });
  handler_.let_go();
  EXPECT_EQ(client.receive().body.size(), 5 * limits::http_backlog_bytes_max);
  EXPECT_EQ(server_->state().timeouts, 0u);
}

// No more than so much waits for anybody, however short the time.
TEST_F(Http, EndsAStreamAtOnceThatIsFarTooMuch) {
  start({.socket_send_bytes = 4096, .backlog_grace = milliseconds(60'000)});
  RawClient client(server_->port(), 4096);
  client.send(post_of("/stream", ""));
  handler_.wait_for_arrival();
  handler_.with_held([](Exchange& exchange) {
    for (int i = 0; i < 70; ++i) exchange.write(std::string(limits::http_backlog_bytes_max, 'x'));
  });
  EXPECT_TRUE(within(milliseconds(5000), [&] { return server_->state().timeouts == 1; }));
  handler_.let_go();
}

// C43.
TEST_F(Http, C43SaysThatAnAddressIsTaken) {
  start();
  const auto second = HttpServer::start({.port = server_->port()}, handler_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::address_in_use);
  EXPECT_THAT(second.error().message,
              testing::HasSubstr(fmt::format("in use by pid {} (", ::getpid())));
}

}  // namespace
}  // namespace herd::server
