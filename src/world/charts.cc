// Bar, line and pie charts with scales and labels: read a value, find the largest, say where it goes.
#include <fmt/format.h>

#include <algorithm>

#include "world/draw.h"
#include "world/font.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

enum class Form : std::uint8_t { bars, line, pie };

struct Chart {
  Form form = Form::bars;
  int top = 10;                          // of the scale
  std::vector<int> values;               // pie: percent, sums to 100
  std::vector<std::string> labels;       // letters under bars and points; colours of slices
  std::vector<std::string_view> shades;  // bars: one each; line: one for all
  bool written = false;                  // values stand above the bars
};

constexpr std::string_view chart_colours[] = {"red",    "green",  "blue", "yellow",
                                              "orange", "purple", "pink", "brown"};

void draw_values(Draw& draw, Chart& chart, int count) {
  if (chart.form == Form::pie) {  // parts of ten percent
    chart.values.assign(static_cast<std::size_t>(count), 1);
    for (int rest = 10 - count; rest > 0; --rest)
      ++chart.values[static_cast<std::size_t>(draw.below(count))];
    for (int& value : chart.values) value *= 10;
    return;
  }
  const int trend = chart.form == Form::line ? draw.below(3) : 2;
  for (int i = 0; i < count; ++i) chart.values.push_back(chart.top / 10 * draw.between(1, 10));
  if (trend == 0) std::ranges::sort(chart.values);
  if (trend == 1) std::ranges::sort(chart.values, std::greater());
}

bool draw_chart(Draw& draw, Chart& chart, std::string& subject) {
  chart.form = draw.one({Form::bars, Form::bars, Form::line, Form::pie});
  chart.top = draw.one({10, 20, 50, 100});
  const int count = draw.between(2, chart.form == Form::pie ? 4 : 5);
  draw_values(draw, chart, count);
  chart.shades = draw.several(count, chart_colours);
  for (int i = 0; i < count; ++i)
    chart.labels.push_back(chart.form == Form::pie
                               ? std::string(chart.shades[static_cast<std::size_t>(i)])
                               : std::string(1, static_cast<char>('A' + i)));
  chart.written = chart.form == Form::bars && draw.chance(0.3);
  subject = fmt::format("{}|{}|{}", static_cast<int>(chart.form), chart.top,
                        fmt::join(chart.values, ","));
  return draw.fits("chart", subject);
}

struct Frame {
  double left, right, top, bottom;
};

void paint_scale(Canvas& canvas, const Chart& chart, const Frame& frame, Colour ink) {
  canvas.line({frame.left, frame.top}, {frame.left, frame.bottom}, 1.2, ink);
  canvas.line({frame.left, frame.bottom}, {frame.right, frame.bottom}, 1.2, ink);
  for (int i = 0; i <= 2; ++i) {
    const double y = frame.bottom + (frame.top - frame.bottom) * i / 2;
    canvas.line({frame.left - 2, y}, {frame.right, y}, 0.5, ink);
    const std::string text = std::to_string(chart.top * i / 2);
    write_text(canvas, text, {frame.left - 4 - text_units(text) * 1.0, y - 3},
               {.unit = 1.0, .thickness = 1.1}, ink);
  }
}

void paint_pie(Canvas& canvas, const Chart& chart) {
  const Point middle{canvas.width() / 2.0, canvas.height() / 2.0};
  const double radius = 0.42 * std::min(canvas.width(), canvas.height());
  double begin = 0;
  for (std::size_t i = 0; i < chart.values.size(); ++i) {
    const double end = begin + chart.values[i] / 100.0;
    canvas.slice(middle, radius, begin, end, colour_of(chart.shades[i]));
    begin = end;
  }
}

media::Image paint_chart(Draw& draw, const Chart& chart) {
  const bool dark = draw.chance(0.2);
  const Colour ink = dark ? Colour{235, 235, 235} : Colour{30, 30, 30};
  Canvas canvas(112, 112, varied(draw, dark ? Colour{25, 28, 38} : Colour{250, 250, 250}, 5));
  if (chart.form == Form::pie) {
    paint_pie(canvas, chart);
    canvas.noise(draw, draw.one({0, 4, 8}));
    return canvas.take();
  }
  const Frame frame{22, 108, draw.real(10, 16), draw.real(94, 98)};
  paint_scale(canvas, chart, frame, ink);
  const double count = static_cast<double>(chart.values.size()),
               step = (frame.right - frame.left) / count;
  const double half = step * draw.real(0.25, 0.4);
  Point before{};
  for (std::size_t i = 0; i < chart.values.size(); ++i) {
    const double x = frame.left + step * (static_cast<double>(i) + 0.5);
    const double y = frame.bottom + (frame.top - frame.bottom) * chart.values[i] / chart.top;
    if (chart.form == Form::bars) {
      const Point corners[] = {
          {x - half, y}, {x + half, y}, {x + half, frame.bottom}, {x - half, frame.bottom}};
      canvas.polygon(corners, colour_of(chart.shades[i]));
    } else {
      if (i > 0) canvas.line(before, {x, y}, 2, colour_of(chart.shades[0]));
      canvas.disc({x, y}, 2.6, colour_of(chart.shades[0]));
      before = {x, y};
    }
    write_text(canvas, chart.labels[i], {x - 2.5, frame.bottom + 4},
               {.unit = 1.3, .thickness = 0.9}, ink);
    const std::string value = std::to_string(chart.values[i]);
    if (chart.written)
      write_text(canvas, value, {x - text_units(value) / 2, y - 8}, {.unit = 1, .thickness = 1},
                 ink);
  }
  canvas.noise(draw, draw.one({0, 4, 8}));
  return canvas.take();
}

struct Asked {
  std::string question, answer;
  Check check = Check::contains;
  std::vector<std::string> accepted, rejected = {};
};

std::string part_of(const Chart& chart, std::size_t i, Draw& draw) {
  if (chart.form == Form::pie) return "the " + chart.labels[i] + " part";
  if (chart.form == Form::bars && draw.chance(0.4))
    return "the " + std::string(chart.shades[i]) + " bar";
  return (chart.form == Form::bars ? "bar " : "point ") + chart.labels[i];
}

Asked ask_value(Draw& draw, const Chart& chart) {
  const auto i = static_cast<std::size_t>(draw.below(static_cast<int>(chart.values.size())));
  const std::string value = std::to_string(chart.values[i]), part = part_of(chart, i, draw);
  if (chart.form == Form::pie)
    return {draw.say("How {large|big} is $part{, in percent|}?", {{"part", part}}),
            value + " percent.",
            Check::number,
            {value}};
  return {draw.say("{What is the value of $part|How high is $part|Read the value of $part}?",
                   {{"part", part}}),
          value + ".",
          Check::number,
          {value}};
}

Asked ask_extreme(Draw& draw, const Chart& chart) {
  const bool largest = draw.chance(0.6);
  const auto best =
      largest ? std::ranges::max_element(chart.values) : std::ranges::min_element(chart.values);
  if (std::ranges::count(chart.values, *best) > 1) return ask_value(draw, chart);
  const auto at = static_cast<std::size_t>(best - chart.values.begin());
  std::string question;
  if (chart.form == Form::pie)
    question = draw.say(largest ? "Which {colour|part} is the {largest|biggest}?"
                                : "Which {colour|part} is the smallest?");
  else
    question = draw.say(
        largest ? "{Which $x is the {highest|largest}?|Where is the {maximum|highest value}?}"
                : "{Which $x is the {lowest|smallest}?|Where is the {minimum|lowest value}?}",
        {{"x", chart.form == Form::bars ? "bar" : "point"}});
  Asked asked{question, capitalised(chart.labels[at]) + ".", Check::one_of, {chart.labels[at]}};
  return asked;
}

Asked ask_count_or_trend(Draw& draw, const Chart& chart) {
  if (chart.form == Form::line && std::ranges::is_sorted(chart.values) !=
                                      std::ranges::is_sorted(chart.values, std::greater())) {
    const bool rising = std::ranges::is_sorted(chart.values);
    return {
        draw.say("{Does the line rise or fall?|Is the line rising or falling?|What is the trend?}"),
        rising ? "It rises." : "It falls.", Check::contains,
        rising ? std::vector<std::string>{"rises", "rising"}
               : std::vector<std::string>{"falls", "falling"},
        rising ? std::vector<std::string>{"falls", "falling"}
               : std::vector<std::string>{"rises", "rising"}};
  }
  const int count = static_cast<int>(chart.values.size());
  const std::string_view parts = chart.form == Form::bars   ? "bars"
                                 : chart.form == Form::line ? "points"
                                                            : "parts";
  return {
      draw.say("How many $parts {are there|does the chart have|do you see}?", {{"parts", parts}}),
      capitalised(number_word(count)) + ".",
      Check::contains,
      {number_word(count), std::to_string(count)}};
}

Asked ask_form(Draw& draw, const Chart& chart) {
  constexpr std::string_view names[] = {"bar", "line", "pie"};
  const std::string name(names[static_cast<std::size_t>(chart.form)]);
  return {draw.say("{What kind of chart is this|Which chart is this|What do you see}?"),
          "A " + name + " chart.",
          Check::contains,
          {name}};
}

// Every part and its value: training only, where one picture should teach as much as it can.
std::string all_values(const Chart& chart) {
  std::string out;
  for (std::size_t i = 0; i < chart.values.size(); ++i)
    out += fmt::format("{}{} {}", i > 0 ? ", " : "", chart.labels[i], chart.values[i]);
  return out + ".";
}

}  // namespace

bool make_charts(Draw& draw, Sample& sample) {
  Chart chart;
  if (!draw_chart(draw, chart, sample.subject)) return false;
  sample.pictures.push_back(paint_chart(draw, chart));
  const int turns = draw.turns(3, 6);
  std::vector<std::string> questions;
  for (int turn = 0; turn < turns; ++turn) {
    if (turn == 0 && draw.split() == Split::train && draw.chance(0.6)) {
      add_user(sample,
               draw.say("{Read all values.|Which values does the chart show?|Read the chart.}"), 1);
      add_answer(sample, all_values(chart));
      grade_as(sample, Check::one_of);
      continue;
    }
    const double kind = draw.real();
    Asked asked = kind < 0.5    ? ask_value(draw, chart)
                  : kind < 0.75 ? ask_extreme(draw, chart)
                  : kind < 0.9  ? ask_count_or_trend(draw, chart)
                                : ask_form(draw, chart);
    if (std::ranges::find(questions, asked.question) != questions.end()) continue;
    questions.push_back(asked.question);
    add_user(sample, asked.question, turn == 0 ? 1 : 0);
    add_answer(sample, asked.answer);
    grade_as(sample, asked.check, std::move(asked.accepted), std::move(asked.rejected));
  }
  return true;
}

}  // namespace herd::world
