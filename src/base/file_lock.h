// A file that one process holds at a time, for what two must not change at once. The kernel lets go of it when the
// process ends, however it ends.
#pragma once

#include <chrono>
#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace herd {

class FileLock {
 public:
  // Makes the file where there is none, for its owner alone, and waits so long for who holds it. Fails with
  // cannot_create, or with locked and `held`, which says what another process is doing.
  static Result<FileLock> take(const std::filesystem::path& path,
                               std::chrono::milliseconds patience, std::string_view held);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace herd
