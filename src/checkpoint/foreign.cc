#include "checkpoint/foreign.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"

namespace herd::checkpoint {

Result<void> refuse_foreign(std::span<const std::byte> file, std::string_view wanted) {
  // Long enough for every beginning below; lower case, because HTML's is either.
  std::string begin(text_of(file.first(std::min<std::size_t>(file.size(), 64))));
  std::ranges::transform(begin, begin.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (begin.starts_with("version https://git-lfs"))
    return fail_with_hint(
        Code::lfs_pointer,
        fmt::format("this is a Git-LFS pointer ({} bytes), not weights", file.size()),
        "fetch the real file: git lfs pull, or download it again");
  if (begin.starts_with("<!doctype") || begin.starts_with("<html"))
    return fail_with_hint(Code::bad_magic,
                          fmt::format("begins with {}, wanted {}; looks like HTML",
                                      shown(begin.substr(0, 9)), wanted),
                          "was the download redirected to a login page?");
  return {};
}

}  // namespace herd::checkpoint
