#include "base/file_lock.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/testing/temporary_directory.h"

namespace herd {
namespace {

TEST(FileLock, IsHeldByOneAtATime) {
  const TemporaryDirectory directory;
  constexpr std::chrono::milliseconds no_patience(0);
  std::optional<FileLock> first =
      FileLock::take(directory / "lock", no_patience, "somebody works here").value();
  const Result<FileLock> second =
      FileLock::take(directory / "lock", no_patience, "somebody works here");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::locked);
  EXPECT_EQ(second.error().message, (directory / "lock").string() + ": somebody works here");
  first.reset();
  EXPECT_TRUE(FileLock::take(directory / "lock", no_patience, ""));
  const Result<FileLock> nowhere = FileLock::take(directory / "no" / "lock", no_patience, "");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, Code::cannot_create);
}

}  // namespace
}  // namespace herd
