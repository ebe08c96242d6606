#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace herd {
namespace {

using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

class Log : public testing::Test {
 protected:
  void TearDown() override { set_log_level(LogLevel::info); }
};

TEST_F(Log, WritesTimeLevelAndTextInOneLine) {
  CaptureStderr();
  log(LogLevel::warn, "{} of {}", 2, 3);
  EXPECT_THAT(GetCapturedStderr(), testing::MatchesRegex("[0-9:]{8}\\.[0-9]{3} warn  2 of 3\n"));
}

TEST_F(Log, LeavesOutWhatIsBelowTheLevel) {
  CaptureStderr();
  log(LogLevel::debug, "not this");
  set_log_level(LogLevel::debug);
  log(LogLevel::debug, "but this");
  set_log_level(LogLevel::off);
  log(LogLevel::error, "nor that");
  log_text(LogLevel::error, "nor that");
  const std::string text = GetCapturedStderr();
  EXPECT_THAT(text, testing::HasSubstr("debug but this\n"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("not this")));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("nor that")));
}

// A name in a file must not forge a second line, nor colour or move what was printed before.
TEST_F(Log, EscapesControlCharacters) {
  EXPECT_EQ(escape_controls("a\nb\t\x1b[31m\x7f"), "a\\nb\\t\\x1b[31m\\x7f");
  EXPECT_EQ(escape_controls("\xc2\x9b"
                            "31m"),
            "\\x9b31m");
  EXPECT_EQ(escape_controls("\xc2\xa0\xc3\xa9"),
            "\xc2\xa0\xc3\xa9");  // no-break space and e acute are text
  EXPECT_EQ(escape_controls("\xc2"), "\xc2");
  CaptureStderr();
  log(LogLevel::error, "tensor {}", "x\n12:00:00.000 info  all is well");
  const std::string text = GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST_F(Log, KeepsLinesOfManyThreadsApart) {
  CaptureStderr();
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int thread = 0; thread < 4; ++thread)
      threads.emplace_back([] {
        for (int i = 0; i < 50; ++i) log(LogLevel::info, "{}", std::string(200, 'x'));
      });
  }
  const std::string text = GetCapturedStderr();
  std::size_t lines = 0, begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    ++lines;
    EXPECT_EQ(end - begin, 200 + std::string("12:34:56.789 info  ").size());
  }
  EXPECT_EQ(lines, 200u);
}

TEST_F(Log, ClearsTheStatusLineAndDrawsItAgain) {
  CaptureStderr();
  show_status_line("half done");
  log(LogLevel::info, "a line");
  show_status_line("");
  EXPECT_THAT(GetCapturedStderr(),
              testing::MatchesRegex(
                  "\rhalf done.\\[K\r.\\[K[0-9:.]* info  a line\n\rhalf done.\\[K\r.\\[K"));
}

TEST_F(Log, KnowsItsLevelsAndNamesTheNearest) {
  EXPECT_EQ(*parse_log_level("warn"), LogLevel::warn);
  const auto wrong = parse_log_level("wran");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::usage);
  EXPECT_EQ(wrong.error().hint, "did you mean 'warn'?");
}

TEST_F(Log, TakesTheFlagBeforeTheEnvironment) {
  ::setenv("HERD_LOG", "error", 1);
  EXPECT_EQ(*choose_log_level("debug"), LogLevel::debug);
  EXPECT_EQ(*choose_log_level(""), LogLevel::error);
  ::setenv("HERD_LOG", "loud", 1);
  EXPECT_THAT(choose_log_level("").error().message, testing::StartsWith("HERD_LOG: log level is"));
  ::unsetenv("HERD_LOG");
  EXPECT_EQ(*choose_log_level(""), LogLevel::info);
}

}  // namespace
}  // namespace herd
