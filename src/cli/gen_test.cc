#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

using testing::HasSubstr;

TEST(Gen, PrintsTheSameLinesFromAnyStart) {
  const Ran all = run_herd({"gen", "--stage", "sft", "--seed", "4", "--count", "6"});
  ASSERT_EQ(all.status, 0) << all.err;
  const Ran last =
      run_herd({"gen", "--stage", "sft", "--seed", "4", "--from", "5", "--count", "1"});
  EXPECT_TRUE(all.out.ends_with(last.out)) << last.out;
  EXPECT_EQ(std::ranges::count(all.out, '\n'), 6);
  const json::value line = parse_json(last.out.substr(0, last.out.size() - 1)).value();
  EXPECT_EQ(line.at("index"), 5);
}

TEST(Gen, WritesPictures) {
  const TemporaryDirectory scratch;
  const Ran made =
      run_herd({"gen", "--task", "several_pictures", "--count", "1", "--pictures", scratch.path()});
  ASSERT_EQ(made.status, 0) << made.err;
  const json::value line = parse_json(made.out.substr(0, made.out.size() - 1)).value();
  const std::size_t pictures = line.at("pictures").as_array().size();
  ASSERT_GE(pictures, 2u);
  for (std::size_t i = 0; i < pictures; ++i)
    EXPECT_TRUE(fs::exists(fs::path(scratch.path()) / fmt::format("several_pictures-0-{}.png", i)));
  // A line names its files, so that it can be learned from.
  EXPECT_NE(made.out.find(fs::path(scratch.path()) / "several_pictures-0-0.png"),
            std::string::npos);
}

TEST(Gen, NamesItsTasksAndRefusesOthers) {
  const Ran list = run_herd({"gen", "--list"});
  EXPECT_THAT(list.out, HasSubstr("story_questions"));
  EXPECT_THAT(list.out, HasSubstr("pretrain"));
  const Ran unknown = run_herd({"gen", "--task", "magic"});
  EXPECT_NE(unknown.status, 0);
  EXPECT_THAT(unknown.err, HasSubstr("magic"));
  EXPECT_NE(run_herd({"gen"}).status, 0);
}

}  // namespace
}  // namespace herd::cli
