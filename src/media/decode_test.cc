#include "media/decode.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/check.h"
#include "base/json.h"
#include "base/limits.h"
#include "media/exif.h"
#include "media/test_support.h"

// Present in programs built with AddressSanitizer or ThreadSanitizer, whose own memory the bound does not cover.
extern "C" {
void __asan_init() __attribute__((weak));  // NOLINT
void __tsan_init() __attribute__((weak));  // NOLINT
}

namespace herd::media {
namespace {

const json::array& table() {
  static const json::value value = [] {
    auto rows = read_json(test::data_path("images/expected.json"));
    HERD_CHECK(rows.has_value(), "{}", to_string(rows.error()));
    return *rows;
  }();
  return value.as_array();
}

std::string text(const json::value& row, std::string_view key) {
  return std::string(std::string_view(row.at(key).as_string()));
}

std::int64_t number(const json::value& value) { return value.to_number<std::int64_t>(); }

std::string file(std::string_view name) {
  auto bytes = read_file(test::data_path("images/" + std::string(name)), 64 << 20);
  HERD_CHECK(bytes.has_value(), "{}", to_string(bytes.error()));
  return *bytes;
}

bool is_good(const json::value& row) { return !row.as_object().contains("error"); }

// 160 good pictures with Pillow's pixels: every colour type, depth and interlacing of PNG, transparency, the kinds of
// JPEG, WebP and GIF, eight orientations in every format with and without alpha.
TEST(Decode, GivesTheExpectedPixels) {
  int good = 0;
  for (const json::value& row : table()) {
    if (!is_good(row)) continue;
    SCOPED_TRACE(json::serialize(row));
    ++good;
    const std::string bytes = file(text(row, "file"));
    const auto image = decode_image(bytes_of(bytes));
    if (!image) {
      ADD_FAILURE() << to_string(image.error());
      continue;
    }
    ASSERT_EQ(image->width, number(row.at("width")));
    ASSERT_EQ(image->height, number(row.at("height")));
    ASSERT_EQ(image->rgb.size(), rgb_bytes(image->width, image->height));
    for (const json::value& sample : row.at("samples").as_array()) {
      const json::array& s = sample.as_array();
      const std::int64_t at = (number(s[1]) * image->width + number(s[0])) * 3;
      for (std::int64_t c = 0; c < 3; ++c)
        EXPECT_EQ(image->rgb[static_cast<std::size_t>(at + c)],
                  number(s[static_cast<std::size_t>(c) + 2]))
            << "pixel " << s[0] << "," << s[1] << " channel " << c;
    }
    EXPECT_EQ(test::crc32(image->rgb), number(row.at("crc32")));

    const auto header = read_image_header(bytes_of(bytes));
    ASSERT_TRUE(header.has_value()) << to_string(header.error());
    EXPECT_EQ(header->width * header->height, image->width * image->height);
    EXPECT_TRUE(header->width == image->width || header->width == image->height);
  }
  EXPECT_GE(good, 150);
}

// The table holds progressive files of 99, 100 and 101 scans.
static_assert(limits::jpeg_scans_max == 100);

// Bombs, cuts, lies and strangers: each refused with its code and words that name what was found.
TEST(Decode, RefusesBadPicturesByName) {
  int bad = 0;
  for (const json::value& row : table()) {
    if (is_good(row)) continue;
    SCOPED_TRACE(json::serialize(row));
    ++bad;
    const auto image = decode_image(bytes_of(file(text(row, "file"))));
    if (image) {
      ADD_FAILURE() << "decoded to " << image->width << "x" << image->height;
      continue;
    }
    EXPECT_EQ(row_of(image.error().code).name, text(row, "error")) << image.error().message;
    EXPECT_NE(image.error().message.find(text(row, "says")), std::string::npos)
        << image.error().message;
  }
  EXPECT_GE(bad, 60);
}

TEST(Decode, KnowsEveryFileOfItsTable) {
  std::set<std::string> listed{"expected.json"};
  for (const json::value& row : table()) listed.insert(text(row, "file"));
  std::set<std::string> present;
  for (const auto& entry : fs::directory_iterator(test::data_path("images")))
    present.insert(entry.path().filename());
  EXPECT_EQ(listed, present);
}

// A prefix of a picture is refused, wherever it ends. (A GIF is whole once its first frame is.)
TEST(Decode, RefusesEveryPrefix) {
  for (const char* name : {"jpeg_444.jpg", "jpeg_progressive.jpg", "jpeg_cmyk.jpg", "png_rgb8.png",
                           "png_rgba16_interlaced.png", "png_palette4_key.png", "webp_lossy.webp",
                           "webp_lossless.webp", "webp_lossy_alpha.webp", "webp_offset.webp",
                           "gif_plain.gif", "gif_interlaced.gif", "gif_offset_transparent.gif"}) {
    const std::string whole = file(name);
    const auto image = decode_image(bytes_of(whole));
    ASSERT_TRUE(image.has_value()) << name;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::string part = whole.substr(0, size);
      const auto result = decode_image(bytes_of(part));
      if (!result) continue;
      EXPECT_TRUE(std::string_view(name).starts_with("gif") && size == whole.size() - 1)
          << name << " cut to " << size << " of " << whole.size();
      EXPECT_EQ(result->rgb, image->rgb);
    }
  }
}

// Every byte of small files changed in turn: whatever comes out keeps its promises.
TEST(Decode, SurvivesEveryChangedByte) {
  for (const char* name : {"jpeg_8x8.jpg", "orientation_6.png", "orientation_6_alpha.webp",
                           "gif_local.gif", "webp_offset.webp", "jpeg_gray_progressive.jpg"}) {
    const std::string whole = file(name);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (int change : {1, 0x80, 0xff}) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ change);
        const auto result = decode_image(bytes_of(changed));
        if (!result) continue;
        ASSERT_TRUE(check_image_size(static_cast<std::uint64_t>(result->width),
                                     static_cast<std::uint64_t>(result->height)));
        ASSERT_EQ(result->rgb.size(), rgb_bytes(result->width, result->height));
      }
    }
  }
}

TEST(Decode, HoldsTheLimitOnBytes) {
  std::string bytes = file("png_trailer.png");
  for (std::uint64_t size : {limits::image_bytes_max - 1, limits::image_bytes_max}) {
    bytes.resize(size);
    EXPECT_TRUE(decode_image(bytes_of(bytes)).has_value()) << size;
  }
  bytes.resize(limits::image_bytes_max + 1);
  const auto result = decode_image(bytes_of(bytes));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::image_too_large);
  EXPECT_EQ(result.error().message,
            "the picture's file has 20971521 bytes, limit 20971520 (20 MiB)");
}

TEST(ImageSize, HoldsTheLimitsOnPixelsAndSides) {
  auto code = [](std::uint64_t width, std::uint64_t height) {
    const auto result = check_image_size(width, height);
    return result ? "" : std::string(row_of(result.error().code).name);
  };
  static_assert(limits::image_pixels_max == 40'000'000 && limits::image_side_max == 16'384);
  EXPECT_EQ(code(8000, 5000), "");                 // 40,000,000
  EXPECT_EQ(code(6777, 5902), "");                 // 39,997,854
  EXPECT_EQ(code(5437, 7357), "image_too_large");  // 40,000,009
  // 40,000,001 has no factors that are sides, so that the message must tell which limit was hit.
  EXPECT_NE(check_image_size(40'000'000, 1).error().message.find("a side of"), std::string::npos);
  EXPECT_EQ(check_image_size(40'000'001, 1).error().message,
            "40000001x1 pixels are 40.000001 MP, limit 40 MP");
  EXPECT_EQ(code(16383, 1), "");
  EXPECT_EQ(code(16384, 1), "");
  EXPECT_EQ(code(16385, 1), "image_too_large");
  EXPECT_EQ(code(1, 16385), "image_too_large");
  EXPECT_EQ(code(0, 1), "image_corrupt");
  EXPECT_EQ(code(1, 0), "image_corrupt");
  EXPECT_EQ(code(~0ull, ~0ull), "image_too_large");
  EXPECT_EQ(check_image_size(40000, 40000).error().message,
            "40000x40000 pixels are 1600 MP, limit 40 MP");
  EXPECT_EQ(check_image_size(8001, 5000).error().message,
            "8001x5000 pixels are 40.005 MP, limit 40 MP");
}

// The start of a PNG: all that the header's reader looks at.
std::string png_header(std::uint32_t width, std::uint32_t height) {
  std::string out("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", 16);
  for (std::uint32_t side : {width, height})
    for (int shift : {24, 16, 8, 0}) out += static_cast<char>(side >> shift & 255);
  return out;
}

TEST(CheckImages, HoldsTheLimitsOfOneRequest) {
  static_assert(limits::images_pixels_max == 120'000'000);
  const std::string small = png_header(10, 10);
  const std::string large = png_header(8000, 5000);  // 40 MP
  std::vector<std::span<const std::byte>> pictures(limits::images_max - 1, bytes_of(small));
  EXPECT_TRUE(check_images(pictures).has_value());
  pictures.push_back(bytes_of(small));
  EXPECT_TRUE(check_images(pictures).has_value());
  pictures.push_back(bytes_of(small));
  const auto many = check_images(pictures);
  ASSERT_FALSE(many.has_value());
  EXPECT_EQ(many.error().code, Code::too_many_images);
  EXPECT_EQ(many.error().message, "17 pictures, limit 16");

  pictures.assign(3, bytes_of(large));  // 120 MP
  EXPECT_TRUE(check_images(pictures).has_value());
  const std::string one = png_header(1, 1);
  pictures.push_back(bytes_of(one));
  const auto area = check_images(pictures);
  ASSERT_FALSE(area.has_value());
  EXPECT_EQ(area.error().code, Code::image_too_large);
  EXPECT_EQ(area.error().message, "the 4 pictures have 120.000001 MP together, limit 120 MP");

  pictures[1] = {};
  const auto empty = check_images(pictures);
  ASSERT_FALSE(empty.has_value());
  EXPECT_EQ(empty.error().code, Code::image_empty);
  EXPECT_EQ(empty.error().message, "picture 2: the picture has 0 bytes");
}

// VmHWM or VmRSS of this process, in bytes.
std::int64_t memory(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::stoll(line.substr(field.size() + 1)) * 1024;
  return 0;
}

struct Outcome {
  std::int64_t peak = -1;  // what decoding added to the memory of a fresh process, in bytes
  std::array<char, 300> message{};  // of the error; empty when there was none
};

// Decodes in a process that may reserve no more than `bytes_max`, touched or not.
Outcome decode_within(const std::string& bytes, std::int64_t bytes_max) {
  std::array<int, 2> ends{};
  HERD_CHECK(pipe(ends.data()) == 0);
  const pid_t child = fork();
  HERD_CHECK(child >= 0);
  if (child == 0) {
    malloc_trim(0);  // what earlier tests freed would be used again unseen
    const std::int64_t before = memory("VmRSS:");
    const auto space = static_cast<rlim_t>(memory("VmSize:") + bytes_max);
    const rlimit limit{space, space};
    HERD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    const auto image = decode_image(bytes_of(bytes));
    Outcome outcome{memory("VmHWM:") - before, {}};
    if (!image) image.error().message.copy(outcome.message.data(), outcome.message.size() - 1);
    _exit(write(ends[1], &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
  }
  close(ends[1]);
  Outcome outcome;
  EXPECT_EQ(read(ends[0], &outcome, sizeof outcome), sizeof outcome) << "the process died";
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return outcome;
}

// reliability C1: at most 4 * width * height * 3 bytes and 16 MiB, for every file of the table; a bad one has no
// pixels. Some good ones are large flat pictures of a few kilobytes.
TEST(Decode, KeepsItsMemoryBounded) {
  if (&__asan_init != nullptr || &__tsan_init != nullptr) GTEST_SKIP() << "sanitizers use memory";
  int large = 0;
  for (const json::value& row : table()) {
    SCOPED_TRACE(json::serialize(row));
    const std::int64_t pixels =
        is_good(row) ? number(row.at("width")) * number(row.at("height")) : 0;
    const std::int64_t bound = pixels * 12 + (16 << 20);
    const Outcome outcome = decode_within(file(text(row, "file")), bound);
    EXPECT_LE(outcome.peak, bound);
    const std::string_view message = outcome.message.data();
    if (is_good(row))
      EXPECT_EQ(message, "");
    else
      EXPECT_NE(message.find(text(row, "says")), std::string_view::npos) << message;
    if (pixels < 1'000'000) continue;
    ++large;
    EXPECT_GT(outcome.peak, pixels * 3);  // the measure sees the pixels themselves
  }
  EXPECT_GE(large, 8);
}

TEST(Exif, ReadsNothingFromEveryCut) {
  const std::string exif(
      "Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0", 32);
  EXPECT_EQ(exif_orientation(bytes_of(exif)), 6);
  for (std::size_t size = 0; size < exif.size(); ++size) {
    const std::string cut =
        exif.substr(0, size);  // its own allocation, so that a sanitizer sees its end
    EXPECT_EQ(exif_orientation(bytes_of(cut)), size >= 26 ? 6 : 1) << size;
  }
}

TEST(Exif, TurnsAndTurnsBack) {
  const Image image = test::synthetic(5, 3, 0);
  for (auto [there, back] :
       {std::pair{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}, {6, 8}, {7, 7}, {8, 6}}) {
    const Image turned = upright(image, there);
    EXPECT_EQ(turned.width, there >= 5 ? 3 : 5);
    EXPECT_EQ(turned.rgb == image.rgb, there == 1);
    EXPECT_EQ(upright(turned, back).rgb, image.rgb) << there;
  }
}

TEST(OverWhite, IsTheRoundedMean) {
  for (unsigned value = 0; value < 256; ++value)
    for (unsigned alpha = 0; alpha < 256; ++alpha) {
      const double exact = (value * alpha + 255.0 * (255 - alpha)) / 255.0;
      ASSERT_EQ(over_white(static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(alpha)),
                static_cast<int>(exact + 0.5));
    }
}

}  // namespace
}  // namespace herd::media
