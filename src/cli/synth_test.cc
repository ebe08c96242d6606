#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

using testing::HasSubstr;

std::map<std::string, std::string> contents(const fs::path& path) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(path))
    out[entry.path().filename()] = read_file(entry.path(), 1ull << 30).value();
  return out;
}

TEST(Synth, MakesAModelThatRuns) {
  const TemporaryDirectory scratch;
  const Ran made =
      run_herd({"synth", "--like", "cria", "--seed", "5", scratch / "model", "--json"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(document_of(made).at("parameters"), 7'793'184);
  const Ran ran = run_herd({"logits", scratch / "model", "--tokens", "2016,3,4", "--out",
                            scratch / "logits.npy", "--json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(document_of(ran).at("shape"), (json::array{3, 2048}));
  const Ran inspected = run_herd({"inspect", scratch / "model", "--scan", "--json"});
  EXPECT_EQ(inspected.status, 0) << inspected.err;
  EXPECT_EQ(document_of(inspected).at("parameters").at("total"), 7'793'184);
  // Nothing unfinished is left beside it.
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(scratch.path())) ++entries;
  EXPECT_EQ(entries, 2);
}

TEST(Synth, MakesTheSameFilesFromTheSameSeedAtAnyNumberOfThreads) {
  const TemporaryDirectory scratch;
  for (const char* threads : {"1", "3"})
    ASSERT_EQ(run_herd({"synth", "--like", "cria", "--seed", "9", "--threads", threads,
                        scratch / threads})
                  .status,
              0);
  ASSERT_EQ(run_herd({"synth", "--like", "cria", "--seed", "10", scratch / "other"}).status, 0);
  EXPECT_EQ(contents(scratch / "1"), contents(scratch / "3"));
  EXPECT_NE(contents(scratch / "1"), contents(scratch / "other"));
}

TEST(Synth, FollowsItsFlags) {
  const TemporaryDirectory scratch;
  ASSERT_EQ(run_herd({"synth", "--like", "cria", "--layers", "7", "--type", "f16", "--no-vision",
                      scratch / "model/"})
                .status,
            0);
  const json::value found = document_of(run_herd({"inspect", scratch / "model", "--json"}));
  EXPECT_EQ(found.at("text").at("layers"), 7);
  EXPECT_EQ(found.at("dtypes").at(0).at("dtype"), "f16");
  EXPECT_TRUE(found.at("vision").is_null());
  EXPECT_FALSE(fs::exists(scratch / "model/preprocessor_config.json"));
}

TEST(Synth, OverwritesNothing) {
  const TemporaryDirectory scratch;
  const fs::path place = scratch / "model";
  fs::create_directory(place);
  ASSERT_TRUE(write_file(place / "precious", std::string_view("x")).has_value());
  const Ran ran = run_herd({"synth", "--like", "cria", place});
  EXPECT_EQ(ran.status, 73);
  EXPECT_THAT(ran.err, HasSubstr("is there already"));
  EXPECT_EQ(contents(place).size(), 1u);
  fs::remove(place / "precious");  // an empty directory is a place
  EXPECT_EQ(run_herd({"synth", "--like", "cria", place}).status, 0);
}

TEST(Synth, RefusesWithArithmeticWhatTheDiskCannotHold) {
  const TemporaryDirectory scratch;
  // 4096 layers of Maverick are more than any disk.
  const Ran ran = run_herd(
      {"synth", "--like", "maverick", "--layers", "4096", "--type", "f32", scratch / "model"});
  EXPECT_EQ(ran.status, 73);
  EXPECT_THAT(ran.err, HasSubstr("does not fit the disk; nothing was written\n  weights "));
  EXPECT_THAT(ran.err, HasSubstr("TiB"));
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

}  // namespace
}  // namespace herd::cli
