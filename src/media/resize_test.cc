#include "media/resize.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "media/test_support.h"

namespace herd::media {
namespace {

// 123 pairs of sizes from 1 to 16384, growing and shrinking by every kind of ratio; checksums are Pillow's.
TEST(Resize, GivesPillowsBitsForEverySize) {
  auto cases = read_json(test::data_path("preprocess/cases.json"));
  ASSERT_TRUE(cases.has_value()) << to_string(cases.error());
  std::uint32_t number = 0;
  for (const json::value& row : cases->at("resizes").as_array()) {
    auto field = [&](std::size_t i) { return row.as_array()[i].to_number<std::int64_t>(); };
    const Image image = test::synthetic(field(0), field(1), number++);
    const Image out = resize_bilinear(image, field(2), field(3));
    EXPECT_EQ(out.width, field(2));
    EXPECT_EQ(out.height, field(3));
    ASSERT_EQ(test::crc32(out.rgb), field(4))
        << image.width << "x" << image.height << " to " << out.width << "x" << out.height;
  }
  EXPECT_GE(number, 100u);
}

TEST(Resize, KeepsFlatColoursAtAnyRatio) {
  for (int level : {0, 1, 127, 254, 255}) {
    for (std::int64_t size : {1, 2, 3, 100, 16384}) {
      Image flat{size, 2, std::vector<std::uint8_t>(rgb_bytes(size, 2))};
      std::ranges::fill(flat.rgb, static_cast<std::uint8_t>(level));
      const Image out = resize_bilinear(flat, 7, 5);
      for (std::uint8_t value : out.rgb) ASSERT_EQ(value, level) << size;
    }
  }
}

TEST(Resize, ReturnsTheSamePictureForTheSameSize) {
  const Image image = test::synthetic(31, 17, 0);
  EXPECT_EQ(resize_bilinear(image, 31, 17).rgb, image.rgb);
}

}  // namespace
}  // namespace herd::media
