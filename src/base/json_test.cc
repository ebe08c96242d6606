#include "base/json.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"

namespace herd {
namespace {

// A file of so many zero bytes, most of them not on the disk.
class SparseFile {
 public:
  explicit SparseFile(std::uint64_t bytes) {
    std::string name = (fs::temp_directory_path() / "herd_json_XXXXXX").string();
    const int fd = ::mkstemp(name.data());
    EXPECT_GE(fd, 0);
    EXPECT_EQ(::ftruncate(fd, static_cast<off_t>(bytes)), 0);
    ::close(fd);
    path_ = name;
  }
  SparseFile(const SparseFile&) = delete;
  ~SparseFile() { fs::remove(path_); }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Files within the limit are read, and these are no JSON; a larger one is refused before that.
TEST(Json, ReadsFilesUpToTheLimit) {
  for (const std::uint64_t bytes : {limits::json_bytes_max - 1, limits::json_bytes_max})
    EXPECT_EQ(read_json(SparseFile(bytes).path()).error().code, Code::invalid_json) << bytes;
  const SparseFile larger(limits::json_bytes_max + 1);
  EXPECT_EQ(read_json(larger.path()).error().code, Code::out_of_range);
}

}  // namespace
}  // namespace herd
