// Pictures are looked at again here, pixel by pixel, without knowing how they were drawn.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "world/canvas.h"
#include "world/draw.h"
#include "world/font.h"
#include "world/sample.h"
#include "world/shape_scene.h"
#include "world/words.h"

namespace herd::world {
namespace {

int distance(const std::uint8_t* pixel, Colour colour) {
  return std::abs(pixel[0] - colour.red) + std::abs(pixel[1] - colour.green) +
         std::abs(pixel[2] - colour.blue);
}

// The shape colour a pixel is nearly of, or nothing for ground and edges.
std::string_view colour_at(const media::Image& image, std::int64_t x, std::int64_t y) {
  const std::uint8_t* pixel = image.rgb.data() + static_cast<std::size_t>(y * image.width + x) * 3;
  std::string_view best;
  int nearest = 64;
  for (const std::string_view name : shape_colours())
    if (const int d = distance(pixel, colour_of(name)); d < nearest) nearest = d, best = name;
  return best;
}

// Connected regions of one colour with at least 25 pixels.
std::map<std::string_view, int> regions_of(const media::Image& image) {
  std::vector<char> seen(static_cast<std::size_t>(image.width * image.height));
  std::map<std::string_view, int> regions;
  std::vector<std::pair<std::int64_t, std::int64_t>> open;
  for (std::int64_t y0 = 0; y0 < image.height; ++y0)
    for (std::int64_t x0 = 0; x0 < image.width; ++x0) {
      const std::string_view colour = colour_at(image, x0, y0);
      if (colour.empty() || seen[static_cast<std::size_t>(y0 * image.width + x0)] != 0) continue;
      int size = 0;
      open.assign(1, {x0, y0});
      while (!open.empty()) {
        const auto [x, y] = open.back();
        open.pop_back();
        if (x < 0 || y < 0 || x >= image.width || y >= image.height) continue;
        char& mark = seen[static_cast<std::size_t>(y * image.width + x)];
        if (mark != 0 || colour_at(image, x, y) != colour) continue;
        mark = 1;
        ++size;
        open.insert(open.end(), {{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}});
      }
      if (size >= 25) ++regions[colour];
    }
  return regions;
}

// "red circle 1, blue star: one." is 1.
int number_of(std::string_view answer) {
  const std::string_view word = answer.substr(answer.rfind(' ') + 1);
  for (int n = 0; n < 20; ++n)
    if (number_word(n) + "." == word) return n;
  return -1;
}

// How many shapes of each colour a text names.
std::map<std::string_view, int> colours_said(const std::string& text) {
  std::map<std::string_view, int> said;
  for (const std::string_view colour : shape_colours()) {
    const std::string word = std::string(colour) + " ";
    for (std::size_t p = text.find(word); p != text.npos; p = text.find(word, p + 1))
      ++said[colour];
  }
  return said;
}

TEST(Pictures, ShapesAreAsManyAndOfTheColoursThatAnswersSay) {
  int counts = 0, colours = 0, captions = 0;
  for (std::uint64_t i = 0; i < 1500; ++i) {
    const Sample sample = make_sample(*find_task("shapes"), 21, i, Split::train);
    const std::map<std::string_view, int> regions = regions_of(sample.pictures.at(0));
    int all = 0;
    for (const auto& [colour, count] : regions) all += count;
    const auto& messages = sample.conversation.messages;
    for (std::size_t at = 0; at + 1 < messages.size(); at += 2) {
      const std::string question = messages[at].text(), answer = messages[at + 1].text();
      if (question.starts_with("How many shapes")) {
        EXPECT_EQ(number_of(answer), all) << i;
        EXPECT_EQ(colours_said(answer), regions) << i << answer;
        ++counts;
      }
      for (const std::string_view colour : shape_colours())
        if (question.starts_with("How many " + std::string(colour))) {
          EXPECT_EQ(number_of(answer), regions.contains(colour) ? regions.at(colour) : 0)
              << i << colour;
          ++counts;
        }
      if (question.starts_with("What colour is it")) {
        ASSERT_EQ(regions.size(), 1u) << i;
        EXPECT_EQ(answer, capitalised(regions.begin()->first) + ".") << i;
        ++colours;
      }
      if (question.starts_with("Describe")) {
        EXPECT_EQ(colours_said(answer), regions) << i << answer;
        ++captions;
      }
    }
  }
  EXPECT_GT(counts, 200);
  EXPECT_GT(colours, 10);
  EXPECT_GT(captions, 100);
}

// Where a colour's pixels are on the average, from the left and from the top.
Point middle_of(const media::Image& image, std::string_view colour) {
  Point sum{};
  double count = 0;
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x)
      if (colour_at(image, x, y) == colour) {
        sum = {sum.x + static_cast<double>(x), sum.y + static_cast<double>(y)};
        count += 1;
      }
  return {sum.x / count, sum.y / count};
}

TEST(Pictures, ShapesAreWhereAnswersSay) {
  int relations = 0;
  for (std::uint64_t i = 0; i < 1500; ++i) {
    const Sample sample = make_sample(*find_task("shapes"), 24, i, Split::train);
    const media::Image& image = sample.pictures.at(0);
    const auto& messages = sample.conversation.messages;
    for (std::size_t at = 0; at + 1 < messages.size(); at += 2) {
      const std::string question = messages[at].text(), answer = messages[at + 1].text();
      const bool across = question.find("left or right of") != question.npos;
      if (!across && question.find("above or below") == question.npos) continue;
      std::vector<std::pair<std::size_t, std::string_view>> named;  // in the order of the question
      for (const std::string_view colour : shape_colours())
        for (std::size_t p = question.find(colour); p != question.npos;
             p = question.find(colour, p + 1))
          named.emplace_back(p, colour);
      std::ranges::sort(named);
      ASSERT_EQ(named.size(), 2u) << question;
      const std::map<std::string_view, int> regions = regions_of(image);
      if (named[0].second == named[1].second || regions.at(named[0].second) != 1 ||
          regions.at(named[1].second) != 1)
        continue;  // colours alone do not tell which is meant
      const Point a = middle_of(image, named[0].second), b = middle_of(image, named[1].second);
      const std::string right =
          across ? (a.x < b.x ? "Left." : "Right.") : (a.y < b.y ? "Above." : "Below.");
      EXPECT_EQ(answer, right) << i << " " << question;
      ++relations;
    }
  }
  EXPECT_GT(relations, 40);
}

TEST(Pictures, EveryColourAndKindIsSeenInTrainingThoughSomePairsAreNot) {
  int held_out = 0;
  for (const std::string_view colour : shape_colours()) {
    int kinds = 0;
    for (const std::string_view kind : shape_kinds())
      kinds += split_of(shape_pair_kind, std::string(colour) + " " + std::string(kind),
                        shape_pair_percent) == Split::train
                   ? 1
                   : 0;
    EXPECT_GE(kinds, 3) << colour;
    held_out += static_cast<int>(shape_kinds().size()) - kinds;
  }
  EXPECT_GE(held_out, 4);
  EXPECT_LE(held_out, 12);
  for (const std::string_view kind : shape_kinds()) {
    int colours = 0;
    for (const std::string_view colour : shape_colours())
      colours += split_of(shape_pair_kind, std::string(colour) + " " + std::string(kind),
                          shape_pair_percent) == Split::train
                     ? 1
                     : 0;
    EXPECT_GE(colours, 4) << kind;
  }
}

// What a board of any colours shows is looked up pixel by pixel at the shapes' middles: the named colour nearest to it
// makes no held-out pair with the kind that is said.
TEST(Pictures, ColoursWithoutNamesMakeNoHeldOutPair) {
  int named = 0, unnamed = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    Draw draw(31, 0, i, 0, Split::train, {});
    ShapeScene scene;
    if (!draw_scene(draw, scene, 1, 6)) continue;
    paint_any_colour(draw, scene);
    const media::Image image = draw_picture(draw, scene);
    for (const Shape& shape : scene.shapes) {
      const auto x = static_cast<std::int64_t>(shape.centre.x);
      const auto y = static_cast<std::int64_t>(shape.centre.y);
      const std::uint8_t* pixel =
          image.rgb.data() + static_cast<std::size_t>(y * image.width + x) * 3;
      ASSERT_LE(distance(pixel, shape.paint.value()), 3 * 12) << i;  // noise
      const std::string_view nearest = *std::ranges::min_element(
          shape_colours(), {},
          [&](std::string_view name) { return distance(pixel, colour_of(name)); });
      if (nearest == shape.colour) {  // noise may move a pixel across the line between two colours
        EXPECT_EQ(split_of(shape_pair_kind, shape.name(), shape_pair_percent), Split::train) << i;
      }
      (distance(pixel, colour_of(nearest)) < 60 ? named : unnamed) += 1;
    }
  }
  EXPECT_GT(unnamed, 300);
  EXPECT_GT(named, 50);
}

// The share of a pie's pixels, against the answer.
TEST(Pictures, PiesHaveTheAreasThatAnswersSay) {
  int pies = 0;
  for (std::uint64_t i = 0; i < 600; ++i) {
    const Sample sample = make_sample(*find_task("charts"), 22, i, Split::train);
    const auto& messages = sample.conversation.messages;
    for (std::size_t at = 0; at + 1 < messages.size(); at += 2) {
      const std::string question = messages[at].text(), answer = messages[at + 1].text();
      const std::size_t part = question.find(" part");
      if (!answer.ends_with(" percent.") || part == question.npos) continue;
      const std::string wanted =
          question.substr(question.find("the ") + 4, part - question.find("the ") - 4);
      double of_it = 0, of_all = 0;
      const media::Image& image = sample.pictures[0];
      for (std::int64_t y = 0; y < image.height; ++y)
        for (std::int64_t x = 0; x < image.width; ++x)
          if (const std::string_view colour = colour_at(image, x, y); !colour.empty()) {
            of_all += 1;
            of_it += colour == wanted ? 1 : 0;
          }
      EXPECT_NEAR(100 * of_it / of_all, std::stoi(answer), 4) << i << question;
      ++pies;
    }
  }
  EXPECT_GT(pies, 40);
}

// Every letter of the font is drawn inside its cell, and no two letters look alike.
TEST(Pictures, LettersDiffer) {
  std::map<std::string, char> drawn;
  for (const char letter :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,-:+=%!")) {
    Canvas canvas(16, 24, {255, 255, 255});
    write_text(canvas, std::string_view(&letter, 1), {4, 4}, {.unit = 2, .thickness = 0.8},
               {0, 0, 0});
    const media::Image image = canvas.take();
    const std::string pixels(image.rgb.begin(), image.rgb.end());
    EXPECT_GT(std::ranges::count_if(pixels, [](char c) { return c != '\xff'; }), 10) << letter;
    const auto [other, fresh] = drawn.emplace(pixels, letter);
    EXPECT_TRUE(fresh) << letter << " looks like " << other->second;
  }
}

// Whether a pixel differs from the first corner by more than noise.
bool is_ink(const media::Image& image, std::int64_t x, std::int64_t y) {
  const Colour corner{image.rgb[0], image.rgb[1], image.rgb[2]};
  return distance(image.rgb.data() + static_cast<std::size_t>(y * image.width + x) * 3, corner) >
         140;
}

int ink_on_border(const media::Image& image) {
  int inked = 0;
  for (std::int64_t x = 0; x < image.width; ++x)
    inked += (is_ink(image, x, 0) ? 1 : 0) + (is_ink(image, x, image.height - 1) ? 1 : 0);
  for (std::int64_t y = 0; y < image.height; ++y)
    inked += (is_ink(image, 0, y) ? 1 : 0) + (is_ink(image, image.width - 1, y) ? 1 : 0);
  return inked;
}

TEST(Pictures, WrittenTextStaysInThePicture) {
  for (const std::string_view task : {"written", "letters"})
    for (std::uint64_t i = 0; i < 400; ++i) {
      const Sample sample = make_sample(*find_task(task), 23, i, Split::train);
      EXPECT_EQ(ink_on_border(sample.pictures[0]), 0) << task << i << sample.expected;
    }
}

// Calls see(row, column, name) for every cell of what was read row by row.
template <typename See>
void for_each_cell(std::string_view read, std::string_view between, const See& see) {
  int row = 0, column = 0;
  for (std::size_t at = 0; at < read.size();) {
    const std::size_t line = std::min(read.find('\n', at), read.size());
    const std::size_t end = std::min(read.find(between, at), line);
    see(row, column, read.substr(at, end - at));
    at = end + (end == line ? 1 : between.size());
    end == line ? (++row, column = 0) : ++column;
  }
}

TEST(Pictures, ChartsHaveALetterInEveryCellAndAsMuchInkForTheSameLetter) {
  int pairs = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const Sample sample = make_sample(*find_task("letters"), 25, i, Split::train);
    const media::Image& image = sample.pictures[0];
    const std::string& read = sample.expected;
    const auto rows = 1 + std::ranges::count(read, '\n');
    const auto columns = static_cast<std::int64_t>(
        read.find('\n') == read.npos ? (read.size() + 1) / 2 : (read.find('\n') + 1) / 2);
    std::map<std::string_view, int> ink;
    for_each_cell(read, " ", [&](int row, int column, std::string_view letter) {
      int inked = 0;
      for (std::int64_t y = image.height * row / rows; y < image.height * (row + 1) / rows; ++y)
        for (std::int64_t x = image.width * column / columns;
             x < image.width * (column + 1) / columns; ++x)
          inked += is_ink(image, x, y) ? 1 : 0;
      EXPECT_GT(inked, 8) << i << letter;
      const auto [same, fresh] = ink.emplace(letter, inked);
      if (fresh) return;
      EXPECT_NEAR(inked, same->second, 10 + 0.35 * same->second) << i << letter;
      ++pairs;
    });
  }
  EXPECT_GT(pairs, 200);
}

TEST(Pictures, BoardsHaveTheColoursThatAnswersSay) {
  int cells = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const Sample sample = make_sample(*find_task("board"), 26, i, Split::train);
    const media::Image& image = sample.pictures[0];
    const auto& messages = sample.conversation.messages;
    for (std::size_t at = 0; at + 1 < messages.size(); at += 2) {
      const std::string question = messages[at].text(), read = messages[at + 1].text();
      if (!question.contains("board")) continue;
      const auto rows = 1 + std::ranges::count(read, '\n');
      const auto columns = (std::ranges::count(read, ',') + rows) / rows;
      for_each_cell(read, ", ", [&](int row, int column, std::string_view name) {
        const std::int64_t x = image.width * (2 * column + 1) / (2 * columns);
        const std::int64_t y = image.height * (2 * row + 1) / (2 * rows);
        std::map<std::string_view, int> seen;
        for (std::int64_t dy = -16; dy <= 16; ++dy)
          for (std::int64_t dx = -16; dx <= 16; ++dx) ++seen[colour_at(image, x + dx, y + dy)];
        seen.erase("");
        const auto most =
            std::ranges::max_element(seen, {}, [](const auto& s) { return s.second; });
        ASSERT_NE(most, seen.end()) << i << name;
        EXPECT_EQ(most->first, name.substr(0, name.find(' '))) << i << name;
        ++cells;
      });
    }
  }
  EXPECT_GT(cells, 400);
}

}  // namespace
}  // namespace herd::world
