#include "base/whole_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace herd {
namespace {

// Renames to a name that nothing has. Not every file system knows how; there two who write the same name at the same
// moment may meet.
int rename_to_new(const char* from, const char* to) {
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  if (::access(to, F_OK) == 0) {
    errno = EEXIST;
    return -1;
  }
  return ::rename(from, to);
}

}  // namespace

WholeFile::WholeFile(fs::path path, Existing existing)
    : path_(std::move(path)),
      beside_(fmt::format("{}.{}.part", path_.string(), ::getpid())),
      existing_(existing) {}

// Linux's files without a name (O_TMPFILE) get one through /proc.
bool WholeFile::open_nameless() {
  const fs::path directory = path_.parent_path();
  fd_ = ::open(directory.empty() ? "." : directory.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
  if (fd_ < 0) return false;
  nameless_ = ::access(fmt::format("/proc/self/fd/{}", fd_).c_str(), F_OK) == 0;
  if (!nameless_) ::close(std::exchange(fd_, -1));
  return nameless_;
}

bool WholeFile::name_it() const {
  const std::string place = fmt::format("/proc/self/fd/{}", fd_);
  return ::linkat(AT_FDCWD, place.c_str(), AT_FDCWD, beside_.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

Result<WholeFile> WholeFile::create(const fs::path& path, Existing existing) {
  WholeFile file(path, existing);
  if (existing == Existing::kept &&
      ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return fail(Code::cannot_create, "{}: {}", path.string(), std::strerror(EEXIST));
  std::error_code error;
  const fs::path directory = path.parent_path();
  if (!directory.empty() && !fs::is_directory(directory, error))
    return fail(Code::cannot_create, "{}: there is no directory {}", path.string(),
                directory.string());
  if (file.open_nameless()) return file;
  file.fd_ = ::open(file.beside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file.fd_ < 0) return fail(Code::cannot_create, "{}: {}", path.string(), std::strerror(errno));
  return file;
}

WholeFile::WholeFile(WholeFile&& other) noexcept
    : path_(std::move(other.path_)),
      beside_(std::move(other.beside_)),
      existing_(other.existing_),
      fd_(std::exchange(other.fd_, -1)),
      nameless_(other.nameless_) {}

WholeFile::~WholeFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!nameless_) ::unlink(beside_.c_str());
}

Result<void> WholeFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail(Code::io_failed, "{}: {}", path_.string(), std::strerror(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> WholeFile::finish() {
  const bool flushed = ::fsync(fd_) == 0 && (!nameless_ || name_it());
  const int error = errno;
  const bool closed = ::close(std::exchange(fd_, -1)) == 0;
  if (!flushed || !closed) {
    const int reason = flushed ? errno : error;
    ::unlink(beside_.c_str());
    return fail(Code::io_failed, "{}: {}", path_.string(), std::strerror(reason));
  }
  const int renamed = existing_ == Existing::kept ? rename_to_new(beside_.c_str(), path_.c_str())
                                                  : ::rename(beside_.c_str(), path_.c_str());
  if (renamed != 0) {
    const int reason = errno;
    ::unlink(beside_.c_str());
    return fail(Code::cannot_create, "{}: {}", path_.string(), std::strerror(reason));
  }
  return {};
}

}  // namespace herd
