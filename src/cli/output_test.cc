#include "cli/output.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace herd::cli {
namespace {

TEST(Grouped, PutsCommasBetweenThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(108641793536), "108,641,793,536");
}

TEST(Harmless, LeavesTextAndTakesWhatMovesATerminal) {
  const std::string text = "a line\n\tand \xc2\xa0 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x91";
  EXPECT_EQ(harmless(text), text);
  const std::string taken = "\xef\xbf\xbd";
  EXPECT_EQ(harmless("\x1b]0;title\x07 \x7f\r"), fmt::format("{0}]0;title{0} {0}{0}", taken));
  EXPECT_EQ(harmless("\xc2\x9b"
                     "2J\xc2\x80"),
            fmt::format("{0}2J{0}", taken));  // CSI in one character
  EXPECT_EQ(harmless(std::string_view("\0\xc2", 2)), fmt::format("{}\xc2", taken));
}

}  // namespace
}  // namespace herd::cli
