// What hostile, careless and many clients leave behind: nothing. Each storm has a short form for every run and a long
// one for `make test-slow`; docs/reliability.md has their figures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/rng.h"
#include "server/testing/served.h"

namespace herd::server {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// The state of this process and of a server in it that a storm may not change.
struct Footprint {
  std::int64_t descriptors = 0;
  std::int64_t threads = 0;
  std::int64_t pages = 0;  // free, or kept by prefixes that nobody uses
  friend bool operator==(const Footprint&, const Footprint&) = default;

  static Footprint of(const Served& served) {
    const auto entries = [](const char* path) {
      const fs::directory_iterator all(path);
      return std::distance(begin(all), end(all));
    };
    const engine::EngineState state = served.engine().state();
    return {entries("/proc/self/fd"), entries("/proc/self/task"),
            state.pages_free + state.pages_cached};
  }
  friend std::ostream& operator<<(std::ostream& out, const Footprint& f) {
    return out << f.descriptors << " descriptors, " << f.threads << " threads, " << f.pages
               << " pages";
  }
};

// What there is once nobody is served any more.
Footprint settled(const Served& served) {
  const auto busy = [&] {
    const engine::EngineState state = served.engine().state();
    return served.http().state().connections > 0 || state.running + state.waiting > 0;
  };
  for (int i = 0; i < 2000 && busy(); ++i) std::this_thread::sleep_for(milliseconds(10));
  return Footprint::of(served);
}

void expect_nothing_left(const Served& served, const Footprint& before) {
  const Footprint after = settled(served);
  const HttpState http = served.http().state();
  const engine::EngineState state = served.engine().state();
  EXPECT_EQ(http.connections, 0u);
  EXPECT_EQ(http.active, 0u);
  EXPECT_EQ(http.body_bytes, 0u);
  EXPECT_EQ(state.running, 0);
  EXPECT_EQ(state.waiting, 0);
  EXPECT_EQ(after, before);
}

// The same question before and after a storm, with what the two answers must share.
std::string golden(const Served& served) {
  const json::object asked = chat({{"seed", 1}, {"temperature", 1}, {"logprobs", true}});
  const json::value body = parsed(served.post("/v1/chat/completions", asked));
  return json::serialize(at(body, "choices"));
}

class Draws {
 public:
  explicit Draws(std::uint64_t seed) : seed_(seed) {}
  std::size_t below(std::size_t n) {
    return static_cast<std::size_t>(uniform(seed_, draw_++) * static_cast<double>(n));
  }

 private:
  std::uint64_t seed_;
  std::uint64_t draw_ = 0;
};

// A request with one to four of its bytes, or runs of them, changed at random.
std::string damaged(std::string bytes, Draws& draws) {
  for (std::size_t changes = 1 + draws.below(4); changes > 0 && !bytes.empty(); --changes) {
    const std::size_t where = draws.below(bytes.size());
    switch (draws.below(6)) {
      case 0:
        bytes[where] = static_cast<char>(draws.below(256));
        break;
      case 1:
        bytes.erase(where, 1 + draws.below(8));
        break;
      case 2:
        bytes.insert(where, bytes.substr(draws.below(bytes.size()), 1 + draws.below(32)));
        break;
      case 3:
        bytes.resize(where);
        break;
      case 4: {
        constexpr std::string_view words[] = {"\"\\ud800\"",
                                              "1e400",
                                              "-0",
                                              "null",
                                              "[[[[[[[[",
                                              "\r\n\r\n",
                                              "Transfer-Encoding: chunked\r\n",
                                              "99999999999999999999",
                                              "\"<|eot|>\"",
                                              "{\"$ref\":\"#\"}",
                                              "\xff\xfe",
                                              "HTTP/9.9"};
        bytes.insert(where, words[draws.below(std::size(words))]);
        break;
      }
      default:
        bytes.insert(where, 1 + draws.below(4), "{}[]\",:\r\n\\0-9e"[draws.below(14)]);
    }
  }
  return bytes;
}

// G8: each gets an answer or a closed connection, none an error of the server's; the same question has the same answer
// before and after, and nothing is left over.
void malformed(std::uint64_t requests, std::uint64_t seed) {
  const Served own;
  const std::string before = golden(own);
  const Footprint footprint = settled(own);
  const json::value tools = parse_json(R"({"model":"cria","max_tokens":1,"messages":[
      {"role":"user","content":"x"},
      {"role":"assistant","content":null,"tool_calls":[
        {"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
      {"role":"tool","tool_call_id":"c","content":"r"}],
      "tools":[{"type":"function","function":{"name":"f","parameters":
        {"type":"object","properties":{"a":{"type":"integer"}}}}}]})")
                                .value();
  const json::object dot{{"url",
                          "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAA"
                          "HElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg=="}};
  const json::array shown{json::object{{"type", "image_url"}, {"image_url", dot}}};
  const json::object picture =
      chat({{"max_tokens", 1},
            {"messages", json::array{json::object{{"role", "user"}, {"content", shown}}}}});
  const std::string one = json::serialize(chat({{"max_tokens", 1}}));
  const std::string seeds[] = {
      own.request("POST", "/v1/chat/completions", one),
      own.request("POST", "/v1/chat/completions", json::serialize(tools)),
      own.request("POST", "/v1/chat/completions", json::serialize(picture)),
      own.request("POST", "/v1/messages", one),
      own.request(
          "POST", "/v1/completions",
          R"({"model":"cria","prompt":["a",[1,2]],"max_tokens":1,"logprobs":1,"echo":true})"),
      own.request("POST", "/tokenize", R"({"content":"héllo","with_pieces":true})"),
      own.request("GET", "/v1/models/cria", ""),
      fmt::format(
          "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
          "Transfer-Encoding: chunked\r\n\r\n7\r\n{{\"conte\r\n8;x=1\r\nnt\":\"a\"}}\r\n0\r\n\r\n"),
  };
  Draws draws(seed);
  std::map<int, std::uint64_t> statuses;
  for (std::uint64_t i = 0; i < requests; ++i) {
    const std::string bytes = damaged(seeds[draws.below(std::size(seeds))], draws);
    RawClient client(own.port());
    ASSERT_TRUE(client.connected()) << "after " << i;
    // Now and then in two pieces: where one ends is the reader's business too.
    const std::size_t cut = draws.below(4) == 0 ? draws.below(bytes.size() + 1) : bytes.size();
    client.send(std::string_view(bytes).substr(0, cut));
    client.send(std::string_view(bytes).substr(cut));
    client.half_close();
    const Received got = client.receive();
    ++statuses[got.status];
    EXPECT_LT(got.status, 500) << bytes;
    if (got.status >= 400) {
      EXPECT_THAT(got.body, HasSubstr("\"message\":")) << bytes;
    }
  }
  EXPECT_GT(statuses[400], requests / 10);
  EXPECT_EQ(golden(own), before);
  expect_nothing_left(own, footprint);
  for (const auto& [status, count] : statuses)
    testing::Test::RecordProperty(fmt::format("status_{}", status), static_cast<int>(count));
}

TEST(Storm, MalformedRequestsLeaveNothingBehind) { malformed(3000, 1); }

class SlowStorm : public testing::TestWithParam<std::uint64_t> {};
TEST_P(SlowStorm, MalformedRequestsLeaveNothingBehind) { malformed(GetParam(), 2); }
INSTANTIATE_TEST_SUITE_P(Slow, SlowStorm, testing::Values(100'000));

// F1, F2, G13: of `streams` at a time one is left at random, again and again, in every state from half a request to the
// last token. One that nobody leaves says the same as alone.
void disconnects(std::size_t leaves, std::size_t streams) {
  const Served own({.context = 2048, .sequences = 64, .queue = 1024});
  const std::string before = golden(own);
  const Footprint footprint = settled(own);
  const auto asked = [&](std::size_t i, bool stream) {
    return own.request("POST", i % 3 == 0 ? "/v1/messages" : "/v1/chat/completions",
                       json::serialize(chat({{"max_tokens", 400}, {"stream", stream}},
                                            i % 2 == 0 ? "Hello" : "Tell me a story.")));
  };
  Draws draws(3);
  std::vector<std::unique_ptr<RawClient>> clients(streams);
  const auto open = [&](std::size_t slot) {
    clients[slot] = std::make_unique<RawClient>(own.port());
    ASSERT_TRUE(clients[slot]->connected());
    const std::string bytes = asked(slot, draws.below(4) != 0);
    // Some go in the middle of their request.
    clients[slot]->send(
        bytes.substr(0, draws.below(8) == 0 ? draws.below(bytes.size()) : bytes.size()));
  };
  for (std::size_t slot = 0; slot < streams; ++slot) open(slot);
  for (std::size_t i = 0; i < leaves; ++i) {
    const std::size_t slot = draws.below(streams);
    switch (draws.below(3)) {
      case 0:
        clients[slot]->reset();
        break;
      case 1:
        clients[slot]->half_close();
        break;
      default:
        clients[slot]->close();
    }
    open(slot);
    if (i % 1000 == 0) {
      EXPECT_EQ(golden(own), before) << "after " << i;
    }
  }
  clients.clear();
  EXPECT_EQ(golden(own), before);
  expect_nothing_left(own, footprint);
  testing::Test::RecordProperty("cancelled", static_cast<int>(own.engine().state().cancelled));
}

TEST(Storm, DisconnectsLeaveNothingBehind) { disconnects(600, 50); }

class SlowDisconnects : public testing::TestWithParam<std::size_t> {};
TEST_P(SlowDisconnects, LeaveNothingBehind) { disconnects(GetParam(), 500); }
INSTANTIATE_TEST_SUITE_P(Slow, SlowDisconnects, testing::Values(20'000));

// Bytes that this process has from its allocator.
std::uint64_t heap_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A thousand streams at once, all of them being written: each costs less than 64 KiB beside its keys and values, which
// lie in the engine's pool, and each says what it would alone.
TEST(Streams, AThousandAtOnceCostLittleEach) {
  constexpr std::size_t streams = 1000;
  constexpr std::uint64_t bytes_max = 64 * 1024;
  const Served own({.context = 2048, .sequences = 1024, .queue = 1024, .draft_tokens = 0});
  const json::object asked =
      chat({{"max_tokens", 16}, {"ignore_eos", true}, {"stream", true}, {"temperature", 0}});
  const auto content_of = [](std::string_view body) {
    std::string content;
    const auto events = events_of(body);
    for (const StreamEvent& event : events)
      if (const json::value said = at(event.value(), "choices.0.delta.content"); said.is_string())
        content += text_of(said);
    return events.empty() || events.back().data != "[DONE]" ? "(cut off)" : content;
  };
  const std::string alone = content_of(own.post("/v1/chat/completions", asked).body);
  const Footprint footprint = settled(own);
  const std::string request = own.request("POST", "/v1/chat/completions", json::serialize(asked));
  // From before the connections; the clients' own hundred bytes count as the server's.
  const std::uint64_t before = heap_bytes();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < streams; ++i) {
    clients.push_back(std::make_unique<RawClient>(own.port()));
    ASSERT_TRUE(clients.back()->connected());
  }
  for (const auto& client : clients) client->send(request);
  std::uint64_t most = 0;
  std::int64_t running = 0;
  while (own.http().state().active > 0 || own.engine().state().finished < streams) {
    const engine::EngineState state = own.engine().state();
    running = std::max(running, state.running);
    if (state.running == static_cast<std::int64_t>(streams)) most = std::max(most, heap_bytes());
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_EQ(running, static_cast<std::int64_t>(streams)) << "not all were written at the same time";
  for (const auto& client : clients) ASSERT_EQ(content_of(client->receive().body), alone);
  const auto each = (static_cast<std::int64_t>(most) - static_cast<std::int64_t>(before)) /
                    static_cast<std::int64_t>(streams);
  std::printf("%lld bytes of heap for each of %zu streams\n", static_cast<long long>(each),
              streams);
  EXPECT_LT(each, static_cast<std::int64_t>(bytes_max));
  if (before > 0) {  // a sanitizer's allocator does not tell
    EXPECT_GT(each, 0);
  }
  clients.clear();
  expect_nothing_left(own, footprint);
}

// D8: who does not read is closed; who reads meanwhile gets everything, bit for bit.
TEST(Storm, SlowReadersAreClosedAndHurtNobody) {
  const Served own({.context = 2048, .sequences = 32, .queue = 64}, nullptr, {},
                   {.write_timeout = milliseconds(300), .socket_send_bytes = 4096});
  const std::string before = golden(own);
  const Footprint footprint = settled(own);
  const auto stream_of = [&](int tokens) {
    return own.request("POST", "/v1/chat/completions",
                       json::serialize(chat({{"max_tokens", tokens},
                                             {"ignore_eos", true},
                                             {"stream", true},
                                             {"logprobs", true},
                                             {"top_logprobs", 20}})));
  };
  // The endless ones may also fall behind by more than a backlog holds; the others only take too long.
  const std::string requests[] = {stream_of(1900), stream_of(100)};
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(std::make_unique<RawClient>(own.port(), 1024));
    slow.back()->send(requests[i % 2]);
  }
  for (int i = 0; i < 1000 && own.http().state().timeouts < slow.size(); ++i)
    EXPECT_EQ(golden(own), before);
  EXPECT_EQ(own.http().state().timeouts, slow.size());
  slow.clear();
  expect_nothing_left(own, footprint);
}

}  // namespace
}  // namespace herd::server
