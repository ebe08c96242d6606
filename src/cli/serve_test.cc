// herd serve as a program: what it refuses to start with (C41 to C47 of spec/reliability.md), and how it ends.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/file.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "cli/testing/run_herd.h"
#include "server/http.h"
#include "server/testing/raw_client.h"

namespace herd::cli {
namespace {

using server::RawClient;
using server::Received;
using testing::HasSubstr;

// A server that runs beside the test; ended at the end, if it still lives.
class Serving {
 public:
  explicit Serving(std::vector<std::string> more, int context = 4096) {
    const std::string program = fs::read_symlink("/proc/self/exe").parent_path() / "herd";
    std::vector<std::string> words{program, "serve", "cria", "--port", "0"};
    words.insert(words.end(), {"--ctx", std::to_string(context)});
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, pipe[1], STDOUT_FILENO);
    EXPECT_EQ(::posix_spawn(&child_, program.c_str(), &files, nullptr, pointers.data(), environ),
              0);
    ::posix_spawn_file_actions_destroy(&files);
    ::close(pipe[1]);
    // "listening on http://127.0.0.1:PORT"
    char c = 0;
    while (::read(pipe[0], &c, 1) == 1 && c != '\n') line_ += c;
    ::close(pipe[0]);
    port_ = static_cast<std::uint16_t>(std::stoi("0" + line_.substr(line_.rfind(':') + 1)));
  }
  Serving(const Serving&) = delete;
  ~Serving() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      wait();
    }
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& line() const { return line_; }
  void signal(int number) const { ::kill(child_, number); }
  // Its exit status; 128 + the signal, where one ended it.
  int wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(std::exchange(child_, 0), &status, 0) > 0, true);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] Received get(std::string_view path) const {
    RawClient client(port_);
    client.send(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path));
    return client.receive();
  }

 private:
  pid_t child_ = 0;
  std::string line_;
  std::uint16_t port_ = 0;
};

std::string stream_of(int tokens) {
  const std::string body = fmt::format(
      R"({{"model":"cria","stream":true,"ignore_eos":true,"max_tokens":{},"temperature":0,)"
      R"("messages":[{{"role":"user","content":"Hi"}}]}})",
      tokens);
  return fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      body.size(), body);
}

// Until a word has come, not only the head of the answer, and no longer: a stream that never pauses would be read
// whole.
void read_some_of(RawClient& client) { client.read_until("\"delta\":{\"content\":\""); }

TEST(Serve, C41WithoutAModelShowsThreeExamples) {
  const Ran ran = run_herd({"serve"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("needs a model"));
  std::size_t examples = 0;
  for (std::size_t at = 0; (at = ran.err.find("herd serve ", at + 1)) != std::string::npos;)
    ++examples;
  EXPECT_GE(examples, 3u) << ran.err;
}

TEST(Serve, C42ListensForOthersOnlyWithKeys) {
  const TemporaryDirectory data;
  for (const char* host : {"0.0.0.0", "::", "192.0.2.1"}) {
    const Ran ran = run_herd({"serve", "cria", "--host", host, "--data", data.path()});
    EXPECT_EQ(ran.status, 77) << host;
    EXPECT_THAT(ran.err, HasSubstr("without keys"));
    EXPECT_THAT(ran.err, HasSubstr("--insecure-no-auth"));
  }
}

TEST(Serve, C43SaysWhoHasThePort) {
  const TemporaryDirectory data;
  const Serving first({"--data", data.path()});
  ASSERT_THAT(first.line(), HasSubstr("listening on http://127.0.0.1:"));
  const Ran second = run_herd({"serve", "cria", "--ctx", "512", "--data", data.path(), "--port",
                               std::to_string(first.port())});
  EXPECT_EQ(second.status, 69);
  EXPECT_THAT(second.err, HasSubstr(fmt::format("127.0.0.1:{} is in use by pid ", first.port())));
  EXPECT_THAT(second.err, HasSubstr("(herd)"));
}

TEST(Serve, C44ShowsThePlanOfWhatDoesNotFit) {
  const TemporaryDirectory data;
  const Ran ran = run_herd({"serve", "cria", "--ctx", "1000000000", "--data", data.path()});
  EXPECT_EQ(ran.status, 69);
  EXPECT_THAT(ran.err, HasSubstr("nothing was loaded"));
  EXPECT_THAT(ran.err, HasSubstr("keys and values"));
  EXPECT_THAT(ran.err, testing::ContainsRegex("--ctx [0-9]+ would fit"));
}

TEST(Serve, C45NamesFlagsAndRanges) {
  for (const char* value : {"abc", "-1", "1000000000000", "1e3", ""}) {
    const Ran ran = run_herd({"serve", "cria", "--ctx", value});
    EXPECT_EQ(ran.status, 2) << value;
    EXPECT_THAT(ran.err, HasSubstr("--ctx is")) << value;
    EXPECT_THAT(ran.err, HasSubstr("wanted 0 to ")) << value;
  }
  const Ran unknown = run_herd({"serve", "cria", "--cxt", "5"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean '--ctx'?"));
}

TEST(Serve, C46RefusesKeysThatOthersReadOrChange) {
  const TemporaryDirectory data;
  const std::vector<std::string> add{"keys", "add", "ada", "--data", data.path()};
  EXPECT_EQ(run_herd(add).status, 0);
  const int lock = ::open((data / "keys.json.lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(lock, 0);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  const Ran locked = run_herd(add);
  ::close(lock);
  EXPECT_EQ(locked.status, 75);
  EXPECT_THAT(locked.err, HasSubstr("another process is changing the keys"));
  fs::permissions(data / "keys.json", static_cast<fs::perms>(0644));
  const Ran open = run_herd({"serve", "cria", "--data", data.path()});
  EXPECT_EQ(open.status, 77);
  EXPECT_THAT(open.err, HasSubstr("chmod 600"));
  // A directory that nobody can write to, not even root.
  const Ran nowhere = run_herd({"keys", "add", "ada", "--data", "/proc/herd"});
  EXPECT_EQ(nowhere.status, 73);
  EXPECT_THAT(nowhere.err, HasSubstr("cannot be created"));
}

TEST(Serve, NamesWhatIsWrongWithItsNewFlags) {
  const auto status = [](std::vector<std::string> more, std::string_view says) {
    more.insert(more.begin(), {"serve", "cria"});
    const Ran ran = run_herd(more);
    EXPECT_THAT(ran.err, HasSubstr(std::string(says)));
    return ran.status;
  };
  EXPECT_EQ(status({"--tls-cert", "a.pem"}, "belong together"), 2);
  EXPECT_EQ(status({"--tls-cert", "/no", "--tls-key", "/no"}, "--tls-cert /no: no such file"), 66);
  EXPECT_EQ(status({"--cors-origin", "*"}, "would let every page in"), 2);
  EXPECT_EQ(status({"--allow-media-host", "127.0.0.1"}, "no name of a host"), 2);
}

TEST(Serve, TakesAdaptersForAllRequestsOrForThoseThatNameThem) {
  const std::string one = HERD_ROOT "/tests/data/adapters/scout",
                    all = HERD_ROOT "/tests/data/adapters";
  const auto ran = [](const char* model, std::vector<std::string> more) {
    more.insert(more.begin(), {"serve", test_model(model), "--port", "0"});
    return run_herd(more);
  };
  const Ran both = ran("scout", {"--adapter", one, "--adapters", all});
  EXPECT_EQ(both.status, 2);
  EXPECT_THAT(both.err, HasSubstr("give either"));
  const Ran single = ran("scout", {"--adapters", one});
  EXPECT_EQ(single.status, 2);
  EXPECT_THAT(single.err, HasSubstr("this is an adapter"));
  const Ran none = ran("scout", {"--adapters", all + "/none"});
  EXPECT_EQ(none.status, 66);
  EXPECT_THAT(none.err, HasSubstr("no such directory"));
}

// F10: the signal lets a stream come to its end, and tells everybody else that there is no more.
TEST(Serve, F10SigtermLetsStreamsEnd) {
  const TemporaryDirectory data;
  Serving serving({"--data", data.path()});
  RawClient client(serving.port());
  client.send(stream_of(300));
  read_some_of(client);
  serving.signal(SIGTERM);
  // Until the end somebody who asks is told so, or finds nobody any more.
  int ready = 0;
  for (int i = 0; i < 500 && ready != 503 && (ready = serving.get("/ready").status) == 200; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_NE(ready, 200);
  const std::string body = client.receive(60'000).body;
  EXPECT_THAT(body, HasSubstr("\"finish_reason\":\"length\""));
  EXPECT_TRUE(body.ends_with("data: [DONE]\n\n")) << body.substr(body.size() - 200);
  EXPECT_EQ(serving.wait(), 0);
}

TEST(Serve, F10SigtermTellsStreamsThatTakeTooLong) {
  const TemporaryDirectory data;
  // So long an answer, without guesses, that no machine has ended it before the signal comes.
  Serving serving({"--data", data.path(), "--drain-seconds", "0", "--draft-tokens", "0"}, 65'536);
  RawClient client(serving.port());
  client.send(stream_of(65'000));
  read_some_of(client);
  const auto begin = std::chrono::steady_clock::now();
  serving.signal(SIGTERM);
  EXPECT_THAT(client.receive(60'000).body, HasSubstr("\"code\":\"server_shutdown\""));
  EXPECT_EQ(serving.wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

// A server without TLS has nothing to read again, and goes on.
TEST(Serve, SighupEndsNobody) {
  const TemporaryDirectory data;
  Serving serving({"--data", data.path()});
  serving.signal(SIGHUP);
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  EXPECT_EQ(serving.get("/health").status, 200);
  serving.signal(SIGINT);
  EXPECT_EQ(serving.wait(), 0);
}

}  // namespace
}  // namespace herd::cli
