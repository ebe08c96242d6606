#include "cli/disk_speed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"

namespace herd::cli {
namespace {

constexpr std::uint64_t piece_bytes = 4 << 20;
constexpr std::uint64_t file_bytes_min = 64 << 20;
constexpr std::uint64_t temporary_bytes = 64 << 20;
constexpr int readers = 4;  // a fast disk is not kept busy by one request at a time
constexpr std::size_t page = 4096;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// An open file, closed at the end.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

fs::path largest_file(const fs::path& directory) {
  fs::path largest;
  std::uintmax_t bytes = file_bytes_min - 1;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!entry.is_regular_file(error)) continue;
    const std::uintmax_t size = entry.file_size(error);
    if (error || size <= bytes) continue;
    bytes = size;
    largest = entry.path();
  }
  return largest;
}

// Memory that begins at a page, as reading past the cache demands.
class Buffer {
 public:
  Buffer() : memory_(piece_bytes + page) {
    void* begin = memory_.data();
    std::size_t room = memory_.size();
    begin_ = static_cast<std::byte*>(std::align(page, piece_bytes, begin, room));
  }
  [[nodiscard]] std::span<std::byte> bytes() const { return {begin_, piece_bytes}; }

 private:
  std::vector<std::byte> memory_;
  std::byte* begin_;
};

Result<File> temporary_file(const fs::path& directory) {
  File file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.is_open())
    return fail(Code::cannot_create,
                "{}: has no file of {} MiB to read and none can be created: {}", directory.string(),
                file_bytes_min >> 20, std::strerror(errno));
  const Buffer buffer;
  // Not zeros, which some disks and file systems keep without writing them.
  for (std::size_t i = 0; i < piece_bytes; ++i)
    buffer.bytes()[i] = static_cast<std::byte>((i * 2654435761u) >> 13);
  for (std::uint64_t at = 0; at < temporary_bytes; at += piece_bytes)
    if (::pwrite(file.get(), buffer.bytes().data(), piece_bytes, static_cast<off_t>(at)) !=
        static_cast<ssize_t>(piece_bytes))
      return fail(Code::cannot_create, "{}: writing {} MiB to measure with failed: {}",
                  directory.string(), temporary_bytes >> 20, std::strerror(errno));
  ::fdatasync(file.get());
  return file;
}

// The share of the file that the system keeps in memory.
double share_cached(int fd, std::uint64_t bytes) {
  void* map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return 0;
  std::vector<unsigned char> resident((bytes + page - 1) / page);
  const bool known = ::mincore(map, bytes, resident.data()) == 0;
  ::munmap(map, bytes);
  if (!known) return 0;
  const auto pages = std::ranges::count_if(resident, [](unsigned char flags) { return flags & 1; });
  return static_cast<double>(pages) / static_cast<double>(resident.size());
}

// Reads for about `seconds`, or to the end.
void read_pieces(int fd, std::uint64_t bytes, double seconds, DiskSpeed& speed) {
  ThreadPool pool(readers);
  const std::array<Buffer, readers> buffers;
  std::atomic<std::uint64_t> done{0};
  const auto start = Clock::now();
  pool.run(static_cast<std::int64_t>(bytes / piece_bytes), 1,
           [&](std::int64_t begin, std::int64_t end, int reader) {
             for (std::int64_t i = begin; i < end && seconds_since(start) < seconds; ++i) {
               const auto at = static_cast<off_t>(i) * static_cast<off_t>(piece_bytes);
               const ssize_t got = ::pread(
                   fd, buffers[static_cast<std::size_t>(reader)].bytes().data(), piece_bytes, at);
               if (got > 0) done += static_cast<std::uint64_t>(got);
             }
           });
  speed.bytes = done;
  speed.gbps = static_cast<double>(speed.bytes) / 1e9 / seconds_since(start);
}

}  // namespace

Result<DiskSpeed> measure_disk(const fs::path& directory, double seconds) {
  DiskSpeed speed;
  const fs::path found = largest_file(directory);
  speed.file = found.empty() ? "a temporary file" : found.filename().string();
  HERD_TRY(const File file, found.empty()
                                ? temporary_file(directory)
                                : Result<File>(::open(found.c_str(), O_RDONLY | O_CLOEXEC)));
  if (!file.is_open()) return fail(Code::io_failed, "{}: {}", found.string(), std::strerror(errno));
  const auto end = ::lseek(file.get(), 0, SEEK_END);
  const auto bytes = static_cast<std::uint64_t>(std::max<off_t>(end, 0));

  // The same file once more, past the cache. Where the file system cannot do that, the cache is asked to forget it.
  const File direct(
      ::open(fmt::format("/proc/self/fd/{}", file.get()).c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  if (direct.is_open()) {
    read_pieces(direct.get(), bytes, seconds, speed);
    speed.direct = speed.bytes > 0;
  }
  if (speed.direct) return speed;
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  speed.cached = share_cached(file.get(), bytes) > 0.1;
  read_pieces(file.get(), bytes, seconds, speed);
  if (speed.bytes == 0) return fail(Code::io_failed, "{}: cannot be read", speed.file);
  return speed;
}

}  // namespace herd::cli
