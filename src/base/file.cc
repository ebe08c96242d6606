#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace herd {
namespace {

// Closes a descriptor at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Without O_NONBLOCK, a pipe under a file's name would be waited for until somebody writes to it.
constexpr int to_read = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

std::string reason(int error) { return std::strerror(error); }

Result<std::uint64_t> open_regular(const fs::path& path, Descriptor& file) {
  if (file.get() < 0) {
    const int error = errno;
    return fail(error == ENOENT ? Code::missing_input : Code::io_failed, "{}: {}", path.string(),
                reason(error));
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0)
    return fail(Code::io_failed, "{}: {}", path.string(), reason(errno));
  if (!S_ISREG(info.st_mode))
    return fail(Code::missing_input, "{}: is not a regular file", path.string());
  return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace

Result<Mapping> Mapping::open(const fs::path& path) {
  Descriptor file(::open(path.c_str(), to_read));
  HERD_TRY(const std::uint64_t size, open_regular(path, file));
  Mapping mapping;
  mapping.path_ = path;
  if (size == 0) return mapping;
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED)
    return fail(Code::io_failed, "{}: cannot map {} bytes: {}", path.string(), size, reason(errno));
  mapping.data_ = static_cast<const std::byte*>(data);
  mapping.size_ = size;
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void Mapping::will_need(std::uint64_t offset, std::uint64_t size) const {
  if (data_ == nullptr || offset >= size_) return;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = offset / page * page;
  const std::uint64_t end = std::min<std::uint64_t>(size_, offset + size);
  ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_WILLNEED);
}

Result<std::string> read_file(const fs::path& path, std::uint64_t bytes_max) {
  Descriptor file(::open(path.c_str(), to_read));
  HERD_TRY(const std::uint64_t size, open_regular(path, file));
  if (size > bytes_max)
    return fail(Code::out_of_range, "{}: is {} bytes, limit {}", path.string(), size, bytes_max);
  // Read to the end whatever the size said: files under /proc say 0, and a file may grow meanwhile.
  std::string text;
  constexpr std::size_t step = 64 * 1024;
  for (;;) {
    const std::size_t done = text.size();
    text.resize(std::max<std::size_t>(done + step, done == 0 ? size + step : 0));
    const ssize_t got = ::read(file.get(), text.data() + done, text.size() - done);
    const int error = errno;
    text.resize(done + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) return fail(Code::io_failed, "{}: {}", path.string(), reason(error));
    if (got == 0) break;
    if (text.size() > bytes_max)
      return fail(Code::out_of_range, "{}: is longer than the limit of {} bytes", path.string(),
                  bytes_max);
  }
  return text;
}

std::int64_t modified_seconds(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration_cast<std::chrono::seconds>(system.time_since_epoch()).count();
}

Result<void> write_file(const fs::path& path, std::string_view bytes) {
  return write_file(path, std::as_bytes(std::span(bytes.data(), bytes.size())));
}

Result<void> write_file(const fs::path& path, std::span<const std::byte> bytes) {
  std::string beside = path.string() + ".XXXXXX";
  Descriptor file(::mkostemp(beside.data(), O_CLOEXEC));
  if (file.get() < 0) return fail(Code::cannot_create, "{}: {}", path.string(), reason(errno));
  auto give_up = [&](Code code) {
    const int error = errno;
    ::unlink(beside.c_str());
    return fail(code, "{}: {}", path.string(), reason(error));
  };
  while (!bytes.empty()) {
    const ssize_t put = ::write(file.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return give_up(Code::io_failed);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  // mkostemp creates 0600; a result is meant to be read like any other file the user makes.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(file.get(), 0666 & ~mask) != 0) return give_up(Code::io_failed);
  if (::fsync(file.get()) != 0) return give_up(Code::io_failed);
  if (::rename(beside.c_str(), path.c_str()) != 0) return give_up(Code::cannot_create);
  Descriptor directory(::open(path.has_parent_path() ? path.parent_path().c_str() : ".",
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
  return {};
}

bool is_plain_file_name(std::string_view name) {
  if (name.empty() || name.size() > 128 || name == "." || name == "..") return false;
  for (char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    if (!plain) return false;
  }
  return true;
}

}  // namespace herd
