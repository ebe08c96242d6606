#include "media/layout.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "media/test_support.h"

namespace herd::media {
namespace {

// "<|image_start|> <|patch|>*144 ...", as tools/reference/make_preprocess.py writes the reference's text.
std::string counted(const std::vector<LayoutItem>& layout) {
  std::string text;
  for (const LayoutItem& item : layout) {
    if (!text.empty()) text += ' ';
    text += token_of(item.symbol);
    if (item.count > 1) text += fmt::format("*{}", item.count);
  }
  return text;
}

TEST(Layout, IsLlama4ProcessorsForEveryCanvas) {
  auto cases = read_json(test::data_path("preprocess/cases.json"));
  ASSERT_TRUE(cases.has_value()) << to_string(cases.error());
  const json::object& layouts = cases->at("layouts").as_object();
  EXPECT_GE(layouts.size(), 20u);
  for (const auto& [canvas, text] : layouts) {
    const std::string name = canvas;
    const std::size_t x = name.find('x');
    const auto layout =
        image_layout(std::stoll(name.substr(0, x)), std::stoll(name.substr(x + 1)), 144);
    EXPECT_EQ(counted(layout), std::string_view(text.as_string())) << name;
  }
}

TEST(Layout, Has147And145PerTileTokens) {
  EXPECT_EQ(layout_tokens(image_layout(1, 1, 144)), 147);
  for (std::int64_t rows = 1; rows <= 16; ++rows) {
    for (std::int64_t columns = rows == 1 ? 2 : 1; rows * columns <= 16; ++columns) {
      EXPECT_EQ(layout_tokens(image_layout(rows, columns, 144)), 147 + 145 * rows * columns);
    }
  }
}

TEST(Layout, WritesRepetitionsOut) {
  EXPECT_EQ(layout_text(image_layout(1, 2, 2)),
            "<|image_start|><|patch|><|patch|><|tile_x_separator|><|patch|><|patch|>"
            "<|tile_y_separator|><|image|><|patch|><|patch|><|image_end|>");
  EXPECT_EQ(layout_text(image_layout(1, 1, 1)), "<|image_start|><|image|><|patch|><|image_end|>");
}

}  // namespace
}  // namespace herd::media
