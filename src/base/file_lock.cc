#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <thread>
#include <utility>

namespace herd {

Result<FileLock> FileLock::take(const std::filesystem::path& path,
                                std::chrono::milliseconds patience, std::string_view held) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(Code::cannot_create, "{}: cannot be created", path.string());
  FileLock lock(fd);
  constexpr std::chrono::milliseconds between(100);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (patience <= std::chrono::milliseconds(0))
      return fail(Code::locked, "{}: {}", path.string(), held);
    std::this_thread::sleep_for(between);
    patience -= between;
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace herd
