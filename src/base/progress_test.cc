#include "base/progress.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/thread_pool.h"

namespace herd {
namespace {

constexpr auto items = ProgressUnit::items;
constexpr auto bytes = ProgressUnit::bytes;

TEST(ProgressText, NamesShareAmountRateAndTimeLeft) {
  EXPECT_EQ(progress_text("loading", 4'300'000'000, 10'000'000'000, 4, bytes),
            "loading  43 %  4.3 of 10.0 GB  1.1 GB/s  5 s left");
  EXPECT_EQ(progress_text("steps", 10, 1000, 20, items),
            "steps  1 %  10 of 1000  0.5/s  33 min 0 s left");
  EXPECT_EQ(progress_text("steps", 10, 20'000, 20, items),
            "steps  0 %  10 of 20000  0.5/s  11 h 6 min left");
}

TEST(ProgressText, SaysOneHundredOnlyAtTheEnd) {
  EXPECT_EQ(progress_text("x", 9999, 10'000, 10, items),
            "x  99 %  9999 of 10000  999.9/s  0 s left");
  EXPECT_EQ(progress_text("x", 10'000, 10'000, 10, items), "x  100 %  10000 of 10000  1000.0/s");
}

TEST(ProgressText, LeavesOutWhatItDoesNotKnow) {
  EXPECT_EQ(progress_text("reading", 1500, 0, 1, bytes), "reading  1.5 kB  1.5 kB/s");
  EXPECT_EQ(progress_text("reading", 0, 100, 9, bytes), "reading  0 %  0 of 100 B");
  EXPECT_EQ(progress_text("reading", 50, 100, 0.1, bytes), "reading  50 %  50 of 100 B");
}

struct Recorder {
  double now = 100;
  std::vector<std::string> status, lines;

  Progress::Output output(bool terminal) {
    return {terminal, [this](std::string_view text) { status.emplace_back(text); },
            [this](std::string_view text) { lines.emplace_back(text); }, [this] { return now; }};
  }
};

TEST(Progress, RedrawsATerminalTenTimesASecondAndTakesTheLineAway) {
  Recorder recorder;
  {
    Progress progress("work", 1000, items, recorder.output(true));
    for (int i = 0; i < 1000; ++i) {
      recorder.now += 1.0 / 1024;  // exact, so that the count of drawings is
      progress.add(1);
    }
  }
  ASSERT_EQ(recorder.status.size(), 10u);  // nine drawings in a second, and the empty one
  EXPECT_EQ(recorder.status[4], "work  52 %  515 of 1000  1024.0/s  0 s left");
  EXPECT_EQ(recorder.status.back(), "");
  EXPECT_TRUE(recorder.lines.empty());
}

TEST(Progress, PrintsALineEveryTenSecondsElsewhere) {
  Recorder recorder;
  {
    Progress progress("work", 25, items, recorder.output(false));
    for (int i = 0; i < 25; ++i) {
      recorder.now += 1;
      progress.add(1);
    }
  }
  EXPECT_TRUE(recorder.status.empty());
  EXPECT_EQ(recorder.lines, (std::vector<std::string>{
                                "work  8 %  2 of 25  1.0/s  23 s left",
                                "work  48 %  12 of 25  1.0/s  13 s left",
                                "work  88 %  22 of 25  1.0/s  3 s left",
                                "work  took 25 s",
                            }));
}

TEST(Progress, SaysNothingAboutShortWork) {
  Recorder recorder;
  {
    Progress progress("work", 10, items, recorder.output(false));
    for (int i = 0; i < 10; ++i) {
      recorder.now += 0.1;
      progress.add(1);
    }
  }
  EXPECT_TRUE(recorder.lines.empty());
}

TEST(Progress, CountsFromManyThreads) {
  std::vector<std::string> status;
  std::atomic<double> now{0};
  {
    Progress progress("work", 1'000'000, items,
                      {true,
                       [&](std::string_view text) { status.emplace_back(text); },
                       {},
                       [&] { return now.load(); }});
    ThreadPool pool(4);
    pool.run(999'999, 1000, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) progress.add(1);
    });
    now = 10;
    progress.add(1);
  }
  ASSERT_EQ(status.size(), 2u);
  EXPECT_EQ(status.front(), "work  100 %  1000000 of 1000000  100000.0/s");
}

}  // namespace
}  // namespace herd
