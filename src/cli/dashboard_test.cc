#include "cli/dashboard.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "cli/testing/run_herd.h"
#include "server/testing/raw_client.h"

namespace herd::cli {
namespace {

const fs::path nowhere = "/nowhere/curves.csv";

server::Received get(std::uint16_t port, const std::string& path,
                     const std::string& host = "127.0.0.1", const std::string& method = "GET") {
  server::RawClient client(port);
  EXPECT_TRUE(client.send(
      fmt::format("{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", method, path, host)));
  return client.receive();
}

train::StepReport step(std::int64_t number) {
  return {.step = number,
          .stage = "first",
          .tokens = 100 * number,
          .loss = 5.0 / static_cast<double>(number),
          .rate = 0.5,
          .gradient = 2,
          .seconds = 0.5,
          .step_tokens = 100,
          .worst_load = 1.5,
          .loads = {{1, {60, 40, 0, 100}}}};
}

TEST(Dashboard, ServesAPageThatMayLoadNothingElse) {
  const auto dashboard = Dashboard::start(0, nowhere, 1000).value();
  const server::Received page = get(dashboard->port(), "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
  const std::string policy = page.header("content-security-policy");
  EXPECT_TRUE(policy.starts_with("default-src 'none'")) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  for (const char* name : {"page.css", "page.js"}) {
    EXPECT_NE(page.body.find(fmt::format("\"{}\"", name)), std::string::npos);
    const server::Received file = get(dashboard->port(), fmt::format("/{}", name));
    EXPECT_EQ(file.status, 200) << name;
    EXPECT_EQ(file.body.find("https://"), std::string::npos) << "from elsewhere";
  }
  EXPECT_EQ(get(dashboard->port(), "/other").status, 404);
  EXPECT_EQ(get(dashboard->port(), "/", "evil.example").status, 403);
  EXPECT_EQ(get(dashboard->port(), "/", "localhost:8321").status, 200);
  EXPECT_EQ(get(dashboard->port(), "/", "127.0.0.1", "POST").status, 405);
}

TEST(Dashboard, TellsEveryStepAsItComes) {
  const auto dashboard = Dashboard::start(0, nowhere, 1000).value();
  const auto curves = [&] { return parse_json(get(dashboard->port(), "/curves").body).value(); };
  EXPECT_EQ(curves().at("rows").as_array().size(), 0u);
  dashboard->add(step(1));
  train::StepReport second = step(2);
  second.loss = NAN;
  second.held_out = 2.25;
  second.skipped = true;
  second.unused_experts = 1;
  dashboard->add(second);
  const json::value news = curves();
  const json::array& rows = news.at("rows").as_array();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(json::serialize(rows[0]), "[1E0,1E2,5E0,null,5E-1,2E0,2E2,1.5E0]");
  EXPECT_EQ(json::serialize(rows[1]), "[2E0,2E2,null,2.25E0,5E-1,2E0,2E2,1.5E0]");
  EXPECT_EQ(json::serialize(news.at("loads")), R"([{"layer":1,"count":[60,40,0,100]}])");
  EXPECT_EQ(news.at("stage"), "first");
  EXPECT_EQ(news.at("skipped"), 1);
  EXPECT_EQ(news.at("unused"), 1);
  EXPECT_EQ(news.at("seconds_left").as_double(), 4) << "800 tokens at 200 a second";
}

TEST(Dashboard, SendsMeansOfLongTrainings) {
  const auto dashboard = Dashboard::start(0, nowhere, 1e6).value();
  for (int i = 1; i <= 2500; ++i) dashboard->add(step(i));
  const json::value news = parse_json(get(dashboard->port(), "/curves").body).value();
  const json::array& rows = news.at("rows").as_array();
  EXPECT_EQ(rows.size(), 834u);
  EXPECT_NEAR(rows[0].at(2).as_double(), (5 + 5.0 / 2 + 5.0 / 3) / 3, 1e-9);
  EXPECT_EQ(rows.back().at(0).as_double(), 2500);
}

TEST(Dashboard, GoesOnWhereTheCurvesEnd) {
  const TemporaryDirectory scratch;
  ASSERT_TRUE(write_file(scratch / "curves.csv",
                         std::string_view("step,stage,...\n1,a,100,4.5,,0.1,2,50,1.25,0,0\n"
                                          "2,a,200,4.25,4.5,0.1,2,50,1.25,0,0\nhalf a li")));
  const auto dashboard = Dashboard::start(0, scratch / "curves.csv", 1000).value();
  dashboard->add(step(3));
  const json::value news = parse_json(get(dashboard->port(), "/curves").body).value();
  const json::array& rows = news.at("rows").as_array();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(json::serialize(rows[1]), "[2E0,2E2,4.25E0,4.5E0,1E-1,2E0,5E1,1.25E0]");
}

TEST(Dashboard, SaysThatThePortIsTaken) {
  const auto first = Dashboard::start(0, nowhere, 1).value();
  const auto second = Dashboard::start(first->port(), nowhere, 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::address_in_use);
  EXPECT_NE(second.error().message.find(std::to_string(first->port())), std::string::npos)
      << second.error().message;
  EXPECT_NE(second.error().hint.find("--dashboard-port"), std::string::npos);
}

// From the command line, beside a training that learns.
TEST(Dashboard, ShowsATrainingWhileItRuns) {
  const TemporaryDirectory scratch;
  ASSERT_TRUE(
      write_file(scratch / "recipe.toml",
                 std::string_view("model = \"" HERD_ROOT "/models/cria\"\n"
                                  "held_out_tokens = 0\npiece_tokens = 128\n[[stage]]\n"
                                  "tasks = [\"chat\"]\ntokens = 1e9\nstep_tokens = 100\n")));
  const std::string program = fs::read_symlink("/proc/self/exe").parent_path() / "herd";
  std::vector<std::string> words{program,         "train",       scratch / "recipe.toml", "--out",
                                 scratch / "out", "--dashboard", "--dashboard-port",      "0"};
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  const std::string said = scratch / "stdout";
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, said.c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t child = 0;
  ASSERT_EQ(::posix_spawn(&child, program.c_str(), &files, nullptr, pointers.data(), environ), 0);
  ::posix_spawn_file_actions_destroy(&files);

  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  std::int64_t steps = 0;
  while (steps < 2 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::string text = read_file(said, 1 << 20).value_or("");
    const std::size_t at = text.find("http://127.0.0.1:");
    if (at == std::string::npos || text.find("/\n", at) == std::string::npos) continue;
    const auto port = static_cast<std::uint16_t>(std::stoi(text.substr(at + 17)));
    const auto news = parse_json(get(port, "/curves").body);
    if (news) steps = static_cast<std::int64_t>(news->at("rows").as_array().size());
  }
  EXPECT_GE(steps, 2);
  ::kill(child, SIGINT);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace herd::cli
