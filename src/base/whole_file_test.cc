#include "base/whole_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace herd {
namespace {

// Whether the file system of temporary files knows O_TMPFILE.
bool has_nameless_files() {
  const int fd = ::open(testing::TempDir().c_str(), O_WRONLY | O_TMPFILE, 0600);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

class WholeFileTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(directory);
    fs::create_directory(directory);
  }
  void TearDown() override { fs::remove_all(directory); }

  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  }
  [[nodiscard]] std::string text() const { return read_file(path, 1000).value(); }

  const fs::path directory =
      fs::path(testing::TempDir()) / ("herd_whole_file_" + std::to_string(::getpid()));
  const fs::path path = directory / "result";
};

TEST_F(WholeFileTest, IsSeenWhenItIsWhole) {
  auto file = WholeFile::create(path);
  ASSERT_TRUE(file) << to_string(file.error());
  ASSERT_TRUE(file->write(bytes("half, ")));
  EXPECT_FALSE(fs::exists(path));
  ASSERT_TRUE(file->write(bytes("whole")));
  WholeFile moved = std::move(*file);
  ASSERT_TRUE(moved.finish());
  EXPECT_EQ(text(), "half, whole");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), fs::directory_iterator()), 1);
}

TEST_F(WholeFileTest, LeavesNothingUnfinished) {
  {
    auto file = WholeFile::create(path);
    ASSERT_TRUE(file && file->write(bytes("half")));
    EXPECT_EQ(fs::is_empty(directory), has_nameless_files());
  }
  EXPECT_TRUE(fs::is_empty(directory));
}

TEST_F(WholeFileTest, ReplacesNothingUnlessTold) {
  ASSERT_TRUE(write_file(path, std::string_view("precious")));
  EXPECT_EQ(WholeFile::create(path).error().code, Code::cannot_create);
  fs::remove(path);
  auto file = WholeFile::create(path);
  ASSERT_TRUE(file && file->write(bytes("other")));
  // Somebody was quicker.
  ASSERT_TRUE(write_file(path, std::string_view("precious")));
  EXPECT_EQ(file->finish().error().code, Code::cannot_create);
  EXPECT_EQ(text(), "precious");

  auto replacing = WholeFile::create(path, WholeFile::Existing::replaced);
  ASSERT_TRUE(replacing && replacing->write(bytes("new")));
  EXPECT_EQ(text(), "precious");
  ASSERT_TRUE(replacing->finish());
  EXPECT_EQ(text(), "new");
}

TEST_F(WholeFileTest, LeavesNothingOfThatNameToOneWhoIsKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto file = WholeFile::create(path);
    if (file && file->write(bytes("half"))) std::raise(SIGKILL);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(fs::exists(path));
  // Nothing is left, or what is left is in nobody's way.
  EXPECT_TRUE(fs::is_empty(directory) || !has_nameless_files());
  auto file = WholeFile::create(path);
  ASSERT_TRUE(file && file->write(bytes("whole")) && file->finish());
  EXPECT_EQ(text(), "whole");
}

TEST_F(WholeFileTest, SaysWhichPlaceCannotBeWritten) {
  const auto failed = WholeFile::create(directory / "none" / "result");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::cannot_create);
  EXPECT_NE(failed.error().message.find("none/result: there is no directory"), std::string::npos);
}

}  // namespace
}  // namespace herd
