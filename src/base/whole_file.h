// A large file that is written piece by piece and seen only when it is whole: it has no name at first, and is flushed
// to disk and named at the end, so that nothing is left of one whose writer is killed. Where the file system has no
// such files it grows beside its place, as NAME.PID.part. (For contents at hand: write_file of base/file.h.)
#pragma once

#include <cstddef>
#include <span>

#include "base/file.h"
#include "base/result.h"

namespace herd {

class WholeFile {
 public:
  enum class Existing : bool { kept, replaced };

  // What stands at `path` already is an error now and at the end, unless it is to be replaced. Fails with
  // cannot_create.
  static Result<WholeFile> create(const fs::path& path, Existing existing = Existing::kept);

  WholeFile(WholeFile&& other) noexcept;
  WholeFile& operator=(WholeFile&&) = delete;
  WholeFile(const WholeFile&) = delete;
  // Without finish(), nothing is left.
  ~WholeFile();

  // The next bytes. Fails with io_failed.
  Result<void> write(std::span<const std::byte> bytes);
  // To be called when all bytes were written. Fails with io_failed or cannot_create.
  Result<void> finish();

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  WholeFile(fs::path path, Existing existing);

  [[nodiscard]] bool open_nameless();
  [[nodiscard]] bool name_it() const;  // gives it the name beside_

  fs::path path_;
  std::string beside_;
  Existing existing_;
  int fd_ = -1;
  bool nameless_ = false;
};

}  // namespace herd
