#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint/safetensors.h"
#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

TEST(Preprocess, GivesTheReferencesTilesAndTokens) {
  const TemporaryDirectory scratch;
  const fs::path model = test_model("vision");
  const auto expected = checkpoint::Safetensors::open(model / "expected.safetensors");
  ASSERT_TRUE(expected.has_value());
  // 100 x 70 pixels on tiles of 56.
  const Ran ran =
      run_herd({"preprocess", model, model / "case1.image0.png", "--out", scratch / "x.npy"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  const json::value said = document_of(ran);
  const auto* pixels = expected->find("case1.pixels");
  ASSERT_NE(pixels, nullptr);
  EXPECT_EQ(said.at("canvas"), (json::array{2, 2}));
  EXPECT_EQ(said.at("resized"), (json::array{100, 70}));
  EXPECT_EQ(said.at("tiles"), 5);
  EXPECT_EQ(pixels->shape, Shape({5, 3, 56, 56}));
  // 4 tokens a tile: start, (4 x 4 y) twice, image, 4, end.
  EXPECT_EQ(said.at("tokens"), 27);
  const std::string patches = "<|patch|><|patch|><|patch|><|patch|>";
  const std::string row = patches + "<|tile_x_separator|>" + patches + "<|tile_y_separator|>";
  EXPECT_EQ(said.at("layout").as_string(),
            "<|image_start|>" + row + row + "<|image|>" + patches + "<|image_end|>");

  const std::string file = read_file(scratch / "x.npy", 1 << 24).value();
  EXPECT_THAT(file, testing::HasSubstr("'shape': (5,3,56,56,)"));
  const std::span<const std::byte> wanted = expected->bytes(*pixels);
  ASSERT_GT(file.size(), wanted.size());
  const char* numbers = file.data() + file.size() - wanted.size();
  float worst = 0;
  for (std::size_t i = 0; i < wanted.size() / sizeof(float); ++i) {
    float a = 0, b = 0;
    std::memcpy(&a, numbers + i * sizeof a, sizeof a);
    std::memcpy(&b, wanted.data() + i * sizeof b, sizeof b);
    worst = std::max(worst, std::abs(a - b));
  }
  EXPECT_LE(worst, 2.0f / 255);  // one step of a byte, on a scale from -1 to 1
}

TEST(Preprocess, RefusesWhatItCannotCut) {
  const TemporaryDirectory scratch;
  const fs::path picture = fs::path(test_model("vision")) / "case0.image0.png";
  const auto with = [&](const std::string& model, const std::string& image) {
    return run_herd({"preprocess", model, image, "--out", scratch / "x.npy"});
  };
  EXPECT_EQ(run_herd({"preprocess", "models/cria", picture}).status, 2);  // no --out
  EXPECT_EQ(with("models/cria", scratch / "none.png").status, 66);
  EXPECT_EQ(with(test_model("chunks"), picture).status, 65);  // text only
  ASSERT_TRUE(write_file(scratch / "not.png", std::string_view("\x89PNG\r\n\x1a\nrubbish")));
  const Ran bad = with("models/cria", scratch / "not.png");
  EXPECT_EQ(bad.status, 65);
  EXPECT_THAT(bad.err, testing::HasSubstr("not.png"));
  EXPECT_EQ(bad.out, "");
  EXPECT_FALSE(fs::exists(scratch / "x.npy"));
  EXPECT_EQ(run_herd({"preprocess", "models/cria", picture, "--out", scratch / "no/x.npy"}).status,
            73);
}

}  // namespace
}  // namespace herd::cli
