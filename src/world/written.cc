// Pictures of writing. Words and numbers: one to three lines, thin or bold, upright or slanted, a little turned, noisy.
// Charts of single letters, as at an optician's: every letter says what the encoder has seen at its place, where a word
// can be guessed from its beginning; reading is learned from these first.
#include <algorithm>

#include "world/draw.h"
#include "world/font.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

// Words are held out as words: a held-out picture's first word is never written in training. There, more are letters
// and digits at random, which cannot be guessed from how they begin.
std::string draw_word(Draw& draw, int letters_max) {
  const bool teaches = draw.split() == Split::train;
  while (true) {
    std::string word;
    const double kind = draw.real();
    if (kind < (teaches ? 0.4 : 0.7))
      word = draw.one(lexicon());
    else if (kind < (teaches ? 0.6 : 0.85))
      word = std::to_string(draw.below(draw.one({10, 100, 1000, 10000, 100000})));
    else
      for (int i = draw.between(std::min(2, letters_max), std::min(6, letters_max)); i > 0; --i)
        word += draw.one(std::string_view("abcdefghijklmnopqrstuvwxyz"));
    if (static_cast<int>(word.size()) <= letters_max && draw.may_use("written", word)) return word;
  }
}

struct Ink {
  Colour ground, ink;
};

Ink draw_ink(Draw& draw) {
  const bool dark = draw.chance(0.25);
  const Colour ground =
      dark ? Colour{25, 28, 38}
           : draw.one({Colour{250, 250, 250}, Colour{240, 232, 215}, Colour{225, 235, 245}});
  constexpr std::string_view on_light[] = {"black", "black",  "blue", "red",
                                           "green", "purple", "brown"};
  constexpr std::string_view on_dark[] = {"white", "white", "yellow", "pink", "orange"};
  return {varied(draw, ground, 5),
          varied(draw, colour_of(dark ? draw.one(on_dark) : draw.one(on_light)), 8)};
}

TextStyle draw_style(Draw& draw) {
  TextStyle style;
  style.thickness = draw.real(0.55, 1.35);
  style.slant = draw.chance(0.3) ? draw.real(0.1, 0.3) : 0;
  style.stretch = draw.real(0.85, 1.1);
  style.angle = draw.chance(0.5) ? draw.real(-5.0, 5.0) / 360 : 0;
  return style;
}

media::Image write_picture(Draw& draw, const std::vector<std::string>& lines, int width,
                           int height) {
  const Ink ink = draw_ink(draw);
  Canvas canvas(width, height, ink.ground);
  TextStyle style = draw_style(draw);
  double widest = 0;
  for (const std::string& line : lines)
    widest = std::max(widest, text_units(line) * style.stretch + 6 * style.slant);
  const double count = static_cast<double>(lines.size());
  // Room for the turn, and for strokes beyond their middle: at five degrees a line of w units rises by 0.09 w, and its
  // letters lean 0.7 units to either side.
  const double beside = 0.5 * style.thickness + 0.8, rises = 0.1 * widest;
  const double room =
      std::min((width - 8) / (widest + 2 * beside), (height - 8) / (line_units * count + rises));
  style.unit = std::min(draw.real(0.7, 1.0) * room, 5.0);
  const double free_x = std::max(width - 8 - (widest + 2 * beside) * style.unit, 0.0);
  const double free_y = std::max(height - 8 - (line_units * count + rises) * style.unit, 0.0);
  const double rise = style.angle < 0 ? rises * style.unit : 0;
  const double x = 4 + beside * style.unit + draw.real() * free_x;
  double y = 4 + rise + draw.real() * free_y;
  for (const std::string& line : lines) {
    write_text(canvas, line, {x, y}, style, ink.ink);
    y += line_units * style.unit;
  }
  canvas.noise(draw, draw.one({0, 5, 10, 16}));
  return canvas.take();
}

std::string draw_row(Draw& draw, std::string_view alphabet, int columns) {
  std::string row;
  for (int i = 0; i < columns; ++i) {
    if (i > 0) row += ' ';
    row += draw.one(alphabet);
  }
  return row;
}

// Rows of equally many letters on a grid, each somewhere in its cell.
media::Image write_chart(Draw& draw, const std::vector<std::string>& rows) {
  const Ink ink = draw_ink(draw);
  constexpr double side = 112;
  Canvas canvas(static_cast<int>(side), static_cast<int>(side), ink.ground);
  TextStyle style = draw_style(draw);
  const double cell_width = side / (static_cast<double>(rows[0].size() + 1) / 2);
  const double cell_height = side / static_cast<double>(rows.size());
  // In units: a letter leans by its slant above and below its foot, turns a little, and its strokes have width.
  const double left = 0.5 * style.thickness + 2 * style.slant + 0.8;
  const double wide = left + 4 * style.stretch + 6 * style.slant + 0.5 * style.thickness + 0.8;
  const double top = 0.5 * style.thickness + 0.5, high = 2 * top + line_units;
  const double room = std::min((cell_width - 2) / wide, (cell_height - 2) / high);
  style.unit = std::min(draw.real(0.7, 1.0) * room, 9.0);
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (std::size_t i = 0; i < rows[row].size(); i += 2) {
      const double x = static_cast<double>(i) / 2 * cell_width + 1 +
                       draw.real() * (cell_width - 2 - wide * style.unit);
      const double y = static_cast<double>(row) * cell_height + 1 +
                       draw.real() * (cell_height - 2 - high * style.unit);
      write_text(canvas, std::string_view(rows[row]).substr(i, 1),
                 {x + left * style.unit, y + top * style.unit}, style, ink.ink);
    }
  canvas.noise(draw, draw.one({0, 5, 10, 16}));
  return canvas.take();
}

}  // namespace

bool make_letters(Draw& draw, Sample& sample) {
  // One alphabet a chart: alone, many small letters look like their capitals.
  const std::string_view alphabet =
      draw.one({"ABCDEFGHIJKLMNPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789",
                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"});
  const int most = std::clamp(draw.sizes().items_max, 2, 16);
  const int columns = draw.between(2, std::min(most, 4));
  const int count = draw.between(1, std::min(most / columns, 4));
  std::vector<std::string> rows;
  while (static_cast<int>(rows.size()) < count) {
    std::string row = draw_row(draw, alphabet, columns);
    if (rows.empty() || draw.may_use("letters", row)) rows.push_back(std::move(row));
  }
  sample.subject = rows[0];
  if (!draw.fits("letters", sample.subject)) return false;
  sample.pictures.push_back(write_chart(draw, rows));
  add_user(
      sample,
      draw.say(
          "{Read the {letters|chart|signs} {row by row|line by line|from left to right}.|Which "
          "{letters|signs} are {on the chart|in the picture}?|Read the chart.}"),
      1);
  add_answer(sample, joined(rows, "\n", "\n"));
  grade_as(sample, Check::exact);
  return true;
}

bool make_written(Draw& draw, Sample& sample) {
  // Small samples, from which reading is learned first, are a few large letters.
  const bool small = draw.sizes().items_max < 8;
  const bool wide = draw.chance(0.15) && !small;
  const int lines_max = small ? 1 : std::min(draw.items_of(draw.one({1, 1, 1, 2, 3})), 4);
  const int letters_max = small ? draw.sizes().items_max : wide ? 14 : 8;
  std::vector<std::string> lines;
  for (int i = 0; i < lines_max; ++i) {
    lines.push_back(draw_word(draw, letters_max));
    if (wide && draw.chance(0.7)) lines.back() += " " + draw_word(draw, 7);
    if (draw.chance(0.25))
      lines.back() = draw.chance(0.6) ? upper_case(lines.back()) : capitalised(lines.back());
  }
  std::string first = lines[0].substr(0, lines[0].find(' '));
  for (char& c : first)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  sample.subject = first;
  if (!draw.fits("written", sample.subject)) return false;
  sample.pictures.push_back(write_picture(draw, lines, wide ? 224 : 112, 112));
  add_user(sample,
           draw.say("{What {is written here|does it say|does the picture say}?|Read {the "
                    "text|this|what is written}.|Which text is in the picture?}"),
           1);
  add_answer(sample, joined(lines, "\n", "\n"));
  grade_as(sample, Check::exact);
  return true;
}

}  // namespace herd::world
