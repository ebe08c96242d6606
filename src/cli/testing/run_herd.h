// Runs the built program as its users do, and hands back what it printed. For tests only.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/testing/temporary_directory.h"

namespace herd::cli {

struct Ran {
  int status = -1;  // 128 + the signal, where one ended it
  std::string out, err;
};

namespace testing_detail {

// A file without a name that a child writes and its parent reads back.
class Captured {
 public:
  Captured() : fd_(::memfd_create("captured", MFD_CLOEXEC)) {}
  Captured(const Captured&) = delete;
  ~Captured() { ::close(fd_); }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::string text() const {
    std::string text(static_cast<std::size_t>(::lseek(fd_, 0, SEEK_END)), '\0');
    const ssize_t got = ::pread(fd_, text.data(), text.size(), 0);
    EXPECT_EQ(got, static_cast<ssize_t>(text.size()));
    return text;
  }

 private:
  int fd_;
};

}  // namespace testing_detail

// The program lies beside the test; it gets `input` as stdin, and neither stdout nor stderr is a terminal.
inline Ran run_herd(const std::vector<std::string>& arguments, std::string_view input = {}) {
  const std::string program = fs::read_symlink("/proc/self/exe").parent_path() / "herd";
  const testing_detail::Captured in, out, err;
  EXPECT_EQ(::write(in.fd(), input.data(), input.size()), static_cast<ssize_t>(input.size()));
  ::lseek(in.fd(), 0, SEEK_SET);

  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in.fd(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, out.fd(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, err.fd(), STDERR_FILENO);
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  const int error =
      ::posix_spawn(&child, program.c_str(), &files, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  EXPECT_EQ(error, 0) << program;
  if (error != 0) return {};
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out.text(), err.text()};
}

// What a command with --json printed: exactly one document, or the test fails.
inline json::value document_of(const Ran& ran) {
  const auto parsed = parse_json(ran.out);
  EXPECT_TRUE(parsed.has_value()) << to_string(parsed.error()) << "\nstdout: " << ran.out
                                  << "\nstderr: " << ran.err;
  return parsed.value_or(nullptr);
}

using herd::TemporaryDirectory;

inline std::string test_model(const std::string& name) {
  return fs::path(HERD_ROOT) / "tests/data/models" / name;
}

}  // namespace herd::cli
