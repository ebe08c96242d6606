#include "media/png_writer.h"

#include <gtest/gtest.h>

#include "media/png.h"

namespace herd::media {
namespace {

TEST(PngWriter, WritesWhatTheReaderReads) {
  Image image{.width = 5, .height = 3, .rgb = {}};
  for (std::size_t i = 0; i < rgb_bytes(5, 3); ++i)
    image.rgb.push_back(static_cast<std::uint8_t>(i * 37));
  const auto read = decode_png(encode_png(image));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->image.width, 5);
  EXPECT_EQ(read->image.height, 3);
  EXPECT_EQ(read->image.rgb, image.rgb);
}

}  // namespace
}  // namespace herd::media
