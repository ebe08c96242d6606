#include "media/preprocess.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/check.h"
#include "base/limits.h"
#include "media/layout.h"
#include "media/test_support.h"

namespace herd::media {
namespace {

const json::value& reference() {
  static const json::value value = [] {
    auto cases = read_json(test::data_path("preprocess/cases.json"));
    HERD_CHECK(cases.has_value(), "{}", to_string(cases.error()));
    return *cases;
  }();
  return value;
}

std::int64_t number(const json::value& value) { return value.to_number<std::int64_t>(); }

std::pair<std::int64_t, std::int64_t> pair(const json::value& row, std::string_view key) {
  const json::array& two = row.at(key).as_array();
  return {number(two[0]), number(two[1])};
}

// The byte behind every float; -1 where a float is not exactly the value of a byte.
std::vector<std::uint8_t> bytes_behind(const std::vector<float>& pixels, std::int64_t& strangers) {
  const json::array& values = reference().at("values").as_array();
  std::array<float, 256> table{};
  for (std::size_t v = 0; v < 256; ++v)
    table[v] = static_cast<float>(values[v].to_number<double>());
  std::vector<std::uint8_t> bytes(pixels.size());
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>((pixels[i] + 1.0f) * 127.5f + 0.5f);
    strangers += table[bytes[i]] != pixels[i];
  }
  return bytes;
}

void expect_tiling(const json::value& row, const Tiling& tiling) {
  const auto canvas = pair(row, "canvas");
  const auto resized = pair(row, "resized");
  EXPECT_EQ(tiling, (Tiling{canvas.first, canvas.second, resized.first, resized.second}))
      << json::serialize(row) << ": " << tiling.rows << "x" << tiling.columns << ", "
      << tiling.resized_width << "x" << tiling.resized_height;
  EXPECT_EQ(tiling.tiles(), number(row.at("tiles")));
}

// Places of the samples in [tiles, 3, 336, 336]: the twin of `places` in tools/reference/make_preprocess.py.
std::size_t place(std::uint32_t sample, std::uint32_t case_number, const Tiling& tiling) {
  constexpr std::int64_t side = 336;
  const std::int64_t tile_floats = 3 * side * side;
  const std::int64_t h = test::mixed(sample + 1000 * case_number);
  if (sample % 4 == 0) return static_cast<std::size_t>(h % (tiling.tiles() * tile_floats));
  if (sample % 4 == 1)
    return static_cast<std::size_t>((tiling.tiles() - 1) * tile_floats + h % tile_floats);
  const std::int64_t x = (h & 0xffff) % tiling.resized_width;
  const std::int64_t y = (h >> 16) % tiling.resized_height;
  const std::int64_t tile = y / side * tiling.columns + x / side;
  return static_cast<std::size_t>((tile * 3 + sample % 3) * side * side + y % side * side +
                                  x % side);
}

// 200 random sizes and 19 chosen ones. `ours` must be the bytes of Meta's own code with Pillow, all of them (checksum)
// and 256 in plain sight; against transformers with torchvision, which rounds elsewhere, they may be one apart.
TEST(Preprocess, AgreesWithMetaAndHuggingFaceOnTwoHundredSizes) {
  const auto samples = read_file(test::data_path("preprocess/samples.bin"), 1 << 20);
  ASSERT_TRUE(samples.has_value());
  const json::array& cases = reference().at("cases").as_array();
  ASSERT_GE(cases.size(), 200u);
  ASSERT_EQ(samples->size(), cases.size() * 512);
  std::int64_t one_apart = 0;
  int d23 = 0;
  for (std::uint32_t i = 0; i < cases.size(); ++i) {
    const json::value& row = cases[i];
    SCOPED_TRACE(json::serialize(row));
    const auto [width, height] = pair(row, "size");
    const Tiles out = preprocess(test::synthetic(width, height, i), PreprocessOptions{});
    expect_tiling(row, out.tiling);
    std::int64_t strangers = 0;
    const auto bytes = bytes_behind(out.pixels, strangers);
    EXPECT_EQ(strangers, 0);
    ASSERT_EQ(bytes.size(), static_cast<std::size_t>(out.tiling.tiles()) * 3 * 336 * 336);
    ASSERT_EQ(test::crc32(bytes), number(row.at("crc32")));

    const bool differs = row.as_object().contains("hugging_face_resized");
    d23 += differs;
    for (std::uint32_t j = 0; j < 256; ++j) {
      const int ours = bytes[place(j, i, out.tiling)];
      const int meta = static_cast<std::uint8_t>((*samples)[i * 512 + j]);
      const int hugging_face = static_cast<std::uint8_t>((*samples)[i * 512 + 256 + j]);
      ASSERT_EQ(ours, meta) << "sample " << j;
      if (differs) continue;
      ASSERT_LE(std::abs(ours - hugging_face), 1) << "sample " << j;
      one_apart += ours != hugging_face;
    }
  }
  EXPECT_EQ(d23, 2);          // the two that follow below
  EXPECT_LT(one_apart, 200);  // of 56,064; the whole tensors differ in 0.07 % of their bytes
}

// Spec D23: float32 (Hugging Face) and float64 (Meta) give sizes one pixel apart. herd follows Meta.
TEST(Preprocess, FollowsMetaWhereHuggingFaceRoundsSizesOtherwise) {
  EXPECT_EQ(choose_tiling(3504, 1152, {}), (Tiling{2, 7, 2044, 672}));  // Hugging Face: 2043
  EXPECT_EQ(choose_tiling(2162, 3680, {}), (Tiling{5, 3, 986, 1680}));  // Hugging Face: 987
  for (const json::value& row : reference().at("cases").as_array()) {
    if (!row.as_object().contains("hugging_face_resized")) continue;
    const auto theirs = pair(row, "hugging_face_resized");
    const auto ours = pair(row, "resized");
    EXPECT_EQ(std::abs(theirs.first - ours.first) + std::abs(theirs.second - ours.second), 1);
  }
}

TEST(Preprocess, AgreesWithMetaForOtherTilesAndEnlarging) {
  std::uint32_t i = 0;
  for (const json::value& row : reference().at("options").as_array()) {
    SCOPED_TRACE(json::serialize(row));
    PreprocessOptions options;
    options.tile_side = number(row.at("tile_side"));
    options.tiles_max = number(row.at("tiles_max"));
    options.resize_to_max_canvas = row.at("enlarge").as_bool();
    const auto [width, height] = pair(row, "size");
    const Tiles out = preprocess(test::synthetic(width, height, i++), options);
    expect_tiling(row, out.tiling);
    EXPECT_EQ(out.side, options.tile_side);
    std::int64_t strangers = 0;
    EXPECT_EQ(test::crc32(bytes_behind(out.pixels, strangers)), number(row.at("crc32")));
    EXPECT_EQ(strangers, 0);
  }
  EXPECT_EQ(i, 60u);
}

// Sizes up to the limits of a picture; one checksum for each hundred.
TEST(Preprocess, ChoosesMetasTilingForTenThousandSizes) {
  const auto sizes = read_file(test::data_path("preprocess/sizes.bin"), 1 << 20);
  ASSERT_TRUE(sizes.has_value());
  ASSERT_EQ(sizes->size(), 40'000u);
  auto at = [&](std::size_t i) {
    return std::int64_t{static_cast<std::uint8_t>((*sizes)[2 * i])} |
           std::int64_t{static_cast<std::uint8_t>((*sizes)[2 * i + 1])} << 8;
  };
  const json::array& expected = reference().at("many").as_array();
  for (std::size_t block = 0; block < 100; ++block) {
    std::string lines;
    for (std::size_t i = block * 100; i < (block + 1) * 100; ++i) {
      const Tiling t = choose_tiling(at(2 * i), at(2 * i + 1), {});
      lines += fmt::format("{} {} {} {}\n", t.rows, t.columns, t.resized_width, t.resized_height);
    }
    EXPECT_EQ(test::crc32(octets_of(lines)), number(expected[block])) << "block " << block;
  }
}

// The worked examples of spec 3.7, of which Meta's published prompts show 512x512 and 1280x1280.
TEST(Preprocess, GivesTheWorkedExamples) {
  struct Row {
    std::int64_t width, height, rows, columns, resized_width, resized_height, right, bottom, tiles,
        tokens;
  };
  for (const Row& row : {Row{300, 200, 1, 1, 336, 224, 0, 112, 1, 147},
                         Row{337, 336, 1, 2, 337, 336, 335, 0, 3, 437},
                         Row{512, 512, 2, 2, 512, 512, 160, 160, 5, 727},
                         Row{800, 600, 2, 3, 800, 600, 208, 72, 7, 1017},
                         Row{1280, 1280, 4, 4, 1280, 1280, 64, 64, 17, 2467},
                         Row{1920, 1080, 3, 5, 1680, 945, 0, 63, 16, 2322},
                         Row{3000, 1000, 2, 6, 2016, 672, 0, 0, 13, 1887},
                         Row{4000, 3000, 3, 4, 1344, 1008, 0, 0, 13, 1887},
                         Row{4032, 3024, 3, 4, 1344, 1008, 0, 0, 13, 1887},
                         Row{3840, 2160, 3, 5, 1680, 945, 0, 63, 16, 2322},
                         Row{10000, 300, 1, 16, 5376, 161, 0, 175, 17, 2467}}) {
    SCOPED_TRACE(fmt::format("{}x{}", row.width, row.height));
    const Tiling tiling = choose_tiling(row.width, row.height, {});
    EXPECT_EQ(tiling, (Tiling{row.rows, row.columns, row.resized_width, row.resized_height}));
    EXPECT_EQ(tiling.columns * 336 - tiling.resized_width, row.right);
    EXPECT_EQ(tiling.rows * 336 - tiling.resized_height, row.bottom);
    EXPECT_EQ(tiling.tiles(), row.tiles);
    EXPECT_EQ(layout_tokens(image_layout(tiling.rows, tiling.columns, 144)), row.tokens);
  }
}

// Spec 9.2: 0, 127, 128, 255 by Meta's order, and all 256 bit for bit as PyTorch computes them.
TEST(Preprocess, NormalisesEveryByteInMetasOrder) {
  Image ramp{256, 1, {}};
  for (int v = 0; v < 256; ++v)
    for (int c = 0; c < 3; ++c) ramp.rgb.push_back(static_cast<std::uint8_t>(v));
  PreprocessOptions options;
  options.tile_side = 256;
  options.tiles_max = 1;
  const Tiles out = preprocess(ramp, options);
  const json::array& values = reference().at("values").as_array();
  for (std::size_t v = 0; v < 256; ++v)
    EXPECT_EQ(out.pixels[v], static_cast<float>(values[v].to_number<double>())) << v;
  EXPECT_EQ(out.pixels[0], -1.0f);
  EXPECT_EQ(out.pixels[255], 1.0f);
  EXPECT_NEAR(out.pixels[127], -0.00392157f, 1e-7);
  EXPECT_NEAR(out.pixels[128], 0.00392157f, 1e-7);
  EXPECT_EQ(out.pixels[256], -1.0f);  // padding, the row below
}

TEST(Preprocess, AppliesEachChannelsOwnMeanAndDeviation) {
  PreprocessOptions options;
  options.tile_side = 2;
  options.tiles_max = 1;
  options.mean = {0.0f, 0.25f, 0.5f};
  options.deviation = {1.0f, 0.5f, 0.25f};
  const Tiles out = preprocess(Image{1, 1, {255, 255, 255}}, options);  // grows to 2 x 2
  ASSERT_EQ(out.pixels.size(), 12u);
  EXPECT_EQ(out.pixels[0], 1.0f);
  EXPECT_EQ(out.pixels[4], 1.5f);
  EXPECT_EQ(out.pixels[8], 2.0f);
}

Result<PreprocessOptions> options_from(std::string_view text) {
  return read_preprocess_options(*parse_json(text));
}

TEST(PreprocessOptions, ReadsThePublishedFile) {
  const auto options = options_from(R"({
    "crop_size": null, "data_format": "channels_first", "default_to_square": true, "device": null,
    "do_center_crop": null, "do_convert_rgb": true, "do_normalize": true, "do_rescale": true,
    "do_resize": true, "image_mean": [0.5, 0.25, 0.5], "image_std": [0.5, 0.5, 1],
    "image_processor_type": "Llama4ImageProcessorFast", "processor_class": "Llama4Processor",
    "max_patches": 9, "resample": 2, "rescale_factor": 0.00392156862745098,
    "resize_to_max_canvas": true, "return_tensors": null, "size": {"height": 112, "width": 112}})");
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->tile_side, 112);
  EXPECT_EQ(options->tiles_max, 9);
  EXPECT_TRUE(options->resize_to_max_canvas);
  EXPECT_EQ(options->mean, (std::array{0.5f, 0.25f, 0.5f}));
  EXPECT_EQ(options->deviation, (std::array{0.5f, 0.5f, 1.0f}));
}

TEST(PreprocessOptions, ReadsTheNestedFileAndKeepsDefaults) {
  const auto options = options_from(
      R"({"processor_class": "Llama4Processor", "image_processor": {"max_patches": 4}})");
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->tiles_max, 4);
  EXPECT_EQ(options->tile_side, 336);
  EXPECT_FALSE(options->resize_to_max_canvas);
  EXPECT_TRUE(options_from("{}").has_value());
}

TEST(PreprocessOptions, RefusesByNameWhatIsNotDone) {
  for (const auto& [text, name] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"resample": 3})", "resample is '3'"},
           {R"({"do_resize": false})", "'do_resize' is 'false', wanted true"},
           {R"({"do_convert_rgb": false})", "do_convert_rgb"},
           {R"({"do_center_crop": true})", "'do_center_crop' is 'true', wanted false"},
           {R"({"do_flip": true})", "do_flip"},
           {R"({"do_rescale": "yes"})", "do_rescale"},
           {R"({"rescale_factor": 1})", "rescale_factor"},
           {R"({"size": {"height": 336, "width": 335}})", "equal height and width"},
           {R"({"size": {"longest_edge": 336}})", "size"},
           {R"({"size": 336})", "size"},
           {R"({"size": {"height": 1025, "width": 1025}})", "from 1 to 1024"},  // one too many
           {R"({"size": {"height": 0, "width": 0}})", "height is '0'"},
           {R"({"max_patches": 0})", "max_patches is '0'"},
           {R"({"max_patches": 65})", "from 1 to 64"},
           {R"({"max_patches": 2.5})", "max_patches"},
           {R"({"max_patches": "16"})", "max_patches"},
           {R"({"resize_to_max_canvas": 1})", "resize_to_max_canvas"},
           {R"({"image_mean": [0.5, 0.5]})", "image_mean"},
           {R"({"image_std": [0.5, 0, 0.5]})", "image_std"},
           {R"({"image_std": [0.5, 1e300, 0.5]})", "image_std"},
           {R"({"image_mean": "0.5"})", "image_mean"},
           {R"([])", "wanted an object"},
           {R"({"image_processor": 3})", "wanted an object"}}) {
    const auto options = options_from(text);
    ASSERT_FALSE(options.has_value()) << text;
    EXPECT_EQ(options.error().code, Code::config_invalid) << text;
    EXPECT_NE(options.error().message.find(name), std::string::npos)
        << text << ": " << options.error().message;
  }
  const auto both = options_from(R"({"resample": 3, "max_patches": 0})");
  EXPECT_NE(both.error().message.find("resample"), std::string::npos);
  EXPECT_NE(both.error().message.find("max_patches"), std::string::npos);
}

TEST(PreprocessOptions, HoldsTheLimitsOnTiles) {
  for (std::uint64_t side : {limits::image_tile_side_max - 1, limits::image_tile_side_max,
                             limits::image_tile_side_max + 1}) {
    const auto text = fmt::format(R"({{"size": {{"height": {0}, "width": {0}}}}})", side);
    EXPECT_EQ(options_from(text).has_value(), side <= limits::image_tile_side_max) << side;
  }
  for (std::uint64_t tiles :
       {limits::image_tiles_max - 1, limits::image_tiles_max, limits::image_tiles_max + 1}) {
    const auto text = fmt::format(R"({{"max_patches": {}}})", tiles);
    EXPECT_EQ(options_from(text).has_value(), tiles <= limits::image_tiles_max) << tiles;
  }
}

}  // namespace
}  // namespace herd::media
