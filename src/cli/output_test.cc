#include "cli/output.h"

#include <gtest/gtest.h>

namespace herd::cli {
namespace {

TEST(Grouped, PutsCommasBetweenThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(108641793536), "108,641,793,536");
}

}  // namespace
}  // namespace herd::cli
