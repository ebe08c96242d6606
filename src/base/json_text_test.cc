#include "base/json_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace herd {
namespace {

TEST(JsonText, IsIndentedAndKeepsShortThingsOnOneLine) {
  json::object value;
  value["name"] = "a \"b\"\n";
  value["half"] = 0.5;
  value["whole"] = 2.0;
  value["list"] = json::array{1, 2, -3};
  json::object layer;
  for (const char* name : {"attention", "feed_forward"}) layer[name] = std::string(20, 'x');
  value["layers"] = json::array{layer, layer, json::object()};
  value["none"] = nullptr;
  value["empty"] = json::array{};
  EXPECT_EQ(json_text(value), R"({
  "name": "a \"b\"\n",
  "half": 0.5,
  "whole": 2.0,
  "list": [1, 2, -3],
  "layers": [
    {"attention": "xxxxxxxxxxxxxxxxxxxx", "feed_forward": "xxxxxxxxxxxxxxxxxxxx"},
    {"attention": "xxxxxxxxxxxxxxxxxxxx", "feed_forward": "xxxxxxxxxxxxxxxxxxxx"},
    {}
  ],
  "none": null,
  "empty": []
})");
}

TEST(JsonText, IsAlwaysJson) {
  json::array numbers{std::numeric_limits<double>::quiet_NaN(),
                      std::numeric_limits<double>::infinity(), 1e300, 0.1, 1.0 / 3};
  const auto parsed = parse_json(json_text(numbers));
  ASSERT_TRUE(parsed.has_value()) << to_string(parsed.error());
  EXPECT_TRUE(parsed->at(0).is_null());
  EXPECT_TRUE(parsed->at(1).is_null());
  EXPECT_EQ(parsed->at(2).to_number<double>(), 1e300);
  EXPECT_EQ(parsed->at(3).to_number<double>(), 0.1);
  EXPECT_EQ(parsed->at(4).to_number<double>(), 1.0 / 3);
}

}  // namespace
}  // namespace herd
