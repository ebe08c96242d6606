// Pictures of shapes: what is there, of which colour and kind, how many, where, and what is beside what. Several
// questions about one picture; each is about its first shape, which decides the split.
#include <algorithm>

#include "world/draw.h"
#include "world/shape_scene.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

struct Asked {
  std::string question, answer;
  Check check = Check::contains;
  std::vector<std::string> accepted = {}, rejected = {};
};

std::vector<std::string> others(Words all, std::string_view right) {
  std::vector<std::string> out;
  for (const std::string_view word : all)
    if (word != right) out.emplace_back(word);
  return out;
}

bool ask_caption(Draw& draw, const ShapeScene& scene, Asked& asked) {
  if (scene.shapes.size() > 4) return false;
  asked.question = draw.say(
      "{What {is in|do you see in|is shown in} {the|this} picture?|Describe {the|this} "
      "picture.|{Name|List} the shapes.|What do you see?}");
  asked.answer = caption_of(scene);
  asked.check = Check::one_of;
  return true;
}

bool ask_colour(Draw& draw, const ShapeScene& scene, Asked& asked) {
  const Shape& shape = scene.shapes[0];
  if (scene.count(shape.kind, "") != 1) return false;
  const bool alone = scene.shapes.size() == 1 && draw.chance(0.3);
  asked.question = alone ? draw.say("What colour is it?")
                         : draw.say(
                               "{What colour {is|has} the $kind?|Which colour does the $kind "
                               "have?|The $kind: what colour is it?}",
                               {{"kind", shape.kind}});
  asked.answer = capitalised(shape.colour) + ".";
  asked.accepted = {std::string(shape.colour)};
  asked.rejected = others(shape_colours(), shape.colour);
  return true;
}

bool ask_kind(Draw& draw, const ShapeScene& scene, Asked& asked) {
  const Shape& shape = scene.shapes[0];
  if (scene.count("", shape.colour) != 1) return false;
  asked.question = draw.say(
      "{What {shape|kind of shape} is $colour?|Which shape is $colour?|What is the $colour "
      "{thing|shape}?}",
      {{"colour", shape.colour}});
  asked.answer = "A " + std::string(shape.kind) + ".";
  asked.accepted = {std::string(shape.kind)};
  asked.rejected = others(shape_kinds(), shape.kind);
  return true;
}

// "red circle 1, blue star, red square 2: ": all shapes, numbering those of a kind and colour ("" is any). What is
// asked in a word is looked for shape by shape, as the task `count` does.
std::string counting(const ShapeScene& scene, std::string_view kind, std::string_view colour) {
  std::string walk;
  int count = 0;
  for (const std::size_t i : scene.in_order()) {
    const Shape& shape = scene.shapes[i];
    walk += (walk.empty() ? "" : ", ") + shape.name();
    if ((kind.empty() || shape.kind == kind) && (colour.empty() || shape.colour == colour))
      walk += " " + std::to_string(++count);
  }
  return walk + ": ";
}

bool ask_count(Draw& draw, const ShapeScene& scene, Asked& asked) {
  const Shape& shape = scene.shapes[0];
  const std::string kinds = plural_of(shape.kind);
  std::string_view kind, colour;
  switch (draw.below(3)) {
    case 0:
      asked.question = draw.say("How many shapes {are there|do you see|are in the picture}?");
      break;
    case 1:
      asked.question =
          draw.say("How many $kinds {are there|do you see|can you count}?", {{"kinds", kinds}});
      kind = shape.kind;
      break;
    default:
      asked.question =
          draw.say("How many $colour shapes {are there|do you see}?", {{"colour", shape.colour}});
      colour = shape.colour;
  }
  const int count = scene.count(kind, colour);
  asked.answer = counting(scene, kind, colour) + number_word(count) + ".";
  asked.check = Check::conclusion;
  asked.accepted = {number_word(count), std::to_string(count)};
  return true;
}

bool ask_place(Draw& draw, const ShapeScene& scene, Asked& asked) {
  const Shape& shape = scene.shapes[0];
  if (!scene.unique(shape) || scene.columns < 3) return false;
  asked.question = draw.say("Where {is|do you see} the $name?", {{"name", shape.name()}});
  const std::string place = place_name(scene, shape);
  asked.answer =
      (place == "middle" || place.find(' ') != std::string::npos ? "In the " : "At the ") + place +
      ".";
  asked.check = Check::one_of;
  asked.accepted = {asked.answer, place};
  return true;
}

// What the first shape is of another one; cells of other rows and columns only, so that nothing is nearly level.
bool ask_relation(Draw& draw, const ShapeScene& scene, Asked& asked) {
  if (scene.shapes.size() < 2) return false;
  const Shape& a = scene.shapes[0];
  const Shape& b = scene.shapes[1 + static_cast<std::size_t>(
                                        draw.below(static_cast<int>(scene.shapes.size()) - 1))];
  if (!scene.unique(a) || !scene.unique(b)) return false;
  const bool across = draw.chance(0.5);
  if (across ? a.column == b.column : a.row == b.row) return false;
  const bool before = across ? a.column < b.column : a.row < b.row;
  const std::string_view relation =
      across ? (before ? "left of" : "right of") : (before ? "above" : "below");
  const std::string_view opposite =
      across ? (before ? "right of" : "left of") : (before ? "below" : "above");
  const std::string first = a.name(), second = b.name();
  if (draw.chance(0.5)) {
    const bool yes = draw.chance(0.5);
    asked.question =
        draw.say("Is the $a $relation the $b?",
                 {{"a", first}, {"b", second}, {"relation", yes ? relation : opposite}});
    asked.answer = yes ? "Yes." : "No.";
    asked.accepted = {yes ? "yes" : "no"};
    asked.rejected = {yes ? "no" : "yes"};
  } else {
    asked.question =
        draw.say(across ? "Is the $a left or right of the $b?" : "Is the $a above or below the $b?",
                 {{"a", first}, {"b", second}});
    const std::string word(relation.substr(0, relation.find(' ')));
    asked.answer = capitalised(word) + ".";
    asked.accepted = {word};
    asked.rejected = {std::string(opposite.substr(0, opposite.find(' ')))};
  }
  return true;
}

bool ask_size(Draw& draw, const ShapeScene& scene, Asked& asked) {
  const Shape& a = scene.shapes[0];
  if (!scene.unique(a)) return false;
  asked.question =
      draw.say("Is the $a {large or small|small or large|big or small}?", {{"a", a.name()}});
  asked.answer = a.large ? "Large." : "Small.";
  asked.accepted =
      a.large ? std::vector<std::string>{"large", "big"} : std::vector<std::string>{"small"};
  asked.rejected =
      a.large ? std::vector<std::string>{"small"} : std::vector<std::string>{"large", "big"};
  return true;
}

bool ask_presence(Draw& draw, const ShapeScene& scene, Asked& asked) {
  const bool yes = draw.chance(0.5);
  Shape wanted = scene.shapes[0];
  if (!yes) (draw.chance(0.5) ? wanted.kind : wanted.colour) = "";
  if (wanted.kind.empty()) wanted.kind = draw.one(shape_kinds());
  if (wanted.colour.empty()) wanted.colour = draw.one(shape_colours());
  const bool is_there = scene.count(wanted.kind, wanted.colour) > 0;
  if (is_there != yes) return false;
  asked.question =
      draw.say("{Is there|Do you see} $name?", {{"name", with_article(wanted.name())}});
  asked.answer = yes ? "Yes." : "No.";
  asked.accepted = {yes ? "yes" : "no"};
  asked.rejected = {yes ? "no" : "yes"};
  return true;
}

// More of which kind; never as many.
bool ask_more(Draw& draw, const ShapeScene& scene, Asked& asked) {
  const std::string_view a = scene.shapes[0].kind, b = scene.shapes.back().kind;
  const int first = scene.count(a, ""), second = scene.count(b, "");
  if (a == b || first == second) return false;
  const std::string more = plural_of(first > second ? a : b),
                    fewer = plural_of(first > second ? b : a);
  const bool swapped = draw.chance(0.5);
  asked.question = draw.say("Are there more $x or more $y?",
                            {{"x", swapped ? fewer : more}, {"y", swapped ? more : fewer}});
  const auto [few, many] = std::minmax(first, second);
  asked.answer = draw.say(
      swapped ? "$few $fewer, $many $more: more $more." : "$many $more, $few $fewer: more $more.",
      {{"few", std::to_string(few)},
       {"fewer", fewer},
       {"many", std::to_string(many)},
       {"more", more}});
  asked.check = Check::conclusion;
  asked.accepted = {"more " + more};
  return true;
}

Asked ask(Draw& draw, const ShapeScene& scene) {
  using Asker = bool (*)(Draw&, const ShapeScene&, Asked&);
  constexpr Asker askers[] = {ask_caption, ask_caption,  ask_colour, ask_colour,   ask_kind,
                              ask_count,   ask_count,    ask_place,  ask_relation, ask_relation,
                              ask_size,    ask_presence, ask_more};
  while (true) {
    Asked asked;
    if (draw.one(askers)(draw, scene, asked)) return asked;
  }
}

}  // namespace

void add_shape_turns(Draw& draw, Sample& sample, const ShapeScene& scene, int turns, int pictures) {
  std::vector<std::string> questions;
  while (turns > 0) {
    Asked asked = ask(draw, scene);
    if (std::ranges::find(questions, asked.question) != questions.end()) {
      if (draw.chance(0.5)) --turns;  // a small scene has few questions
      continue;
    }
    add_user(sample, asked.question, questions.empty() ? pictures : 0);
    add_answer(sample, asked.answer);
    if (asked.accepted.empty()) asked.accepted = {asked.answer};
    grade_as(sample, asked.check, std::move(asked.accepted), std::move(asked.rejected));
    questions.push_back(std::move(asked.question));
    --turns;
  }
}

// A board is full, so that every cell has a name, and a question asks for many of them: one picture teaches more than
// one with a shape or two does.
bool make_board(Draw& draw, Sample& sample) {
  ShapeScene scene;
  const int most = std::clamp(draw.sizes().items_max, 2, 9);
  scene.columns = draw.between(1, std::min(most, 3));
  const int rows_min = scene.columns == 1 ? 2 : 1;
  scene.rows = draw.between(rows_min, std::clamp(most / scene.columns, rows_min, 3));
  const int cells = scene.columns * scene.rows;
  if (!draw_scene(draw, scene, cells, cells)) return false;
  sample.subject = scene.shapes[0].name();
  const auto board = [&](auto&& name_of) {
    std::string text;
    for (const std::size_t i : scene.in_order()) {
      const Shape& shape = scene.shapes[i];
      text += std::string(shape.column > 0 ? ", " : shape.row > 0 ? "\n" : "") + name_of(shape);
    }
    return text;
  };
  const auto kind = [](const Shape& shape) { return std::string(shape.kind); };
  constexpr std::string_view ask_kinds =
      "{Which {kinds of shape|shapes} are there, row by row?|Only the {kinds|shapes}, row by row.}";
  if (draw.split() == Split::train && draw.chance(0.4)) {
    const bool kinds = draw.chance(0.6);
    kinds ? paint_any_colour(draw, scene) : make_blobs(scene);
    sample.pictures.push_back(draw_picture(draw, scene));
    add_user(
        sample,
        draw.say(kinds ? ask_kinds
                       : "{Which colours are there, row by row?|Only the colours, row by row.}"),
        1);
    add_answer(sample, kinds ? board(kind)
                             : board([](const Shape& shape) { return std::string(shape.colour); }));
    grade_as(sample, Check::exact);
    return true;
  }
  sample.pictures.push_back(draw_picture(draw, scene));
  std::vector<int> left{0, 1, 2};
  draw.shuffle(left);
  left.resize(static_cast<std::size_t>(draw.turns(1, 3)));
  for (const int about : left) {
    const int pictures = about == left.front() ? 1 : 0;
    if (about == 0) {
      add_user(sample, draw.say("{Read the board.|What is on the board, row by row?}"), pictures);
      add_answer(sample, board([](const Shape& shape) { return shape.name(); }));
    } else if (about == 1) {
      add_user(sample, draw.say(ask_kinds), pictures);
      add_answer(sample, board(kind));
    } else {
      const Shape& cell = scene.shapes[0];
      add_user(sample,
               draw.say("What is in row $row, column $column?",
                        {{"row", std::to_string(cell.row + 1)},
                         {"column", std::to_string(cell.column + 1)}}),
               pictures);
      add_answer(sample, cell.name());
    }
  }
  grade_as(sample, Check::exact);
  return true;
}

bool make_shapes(Draw& draw, Sample& sample) {
  ShapeScene scene;
  const double wide = draw.real();
  const int most = std::min(draw.items_of(draw.one({1, 1, 2, 3, 4, 6})), 6);
  const bool close =
      draw.items_of(2) == 1;  // the smallest sample: one shape that fills the picture
  const bool many = wide > 0.9 && !close;
  if (many) {  // two tiles or four
    scene.columns = wide > 0.94 ? 6 : 3;
    scene.rows = wide > 0.94 && wide < 0.98 ? 3 : 6;
  }
  if (close) scene.columns = scene.rows = 1;
  if (!draw_scene(draw, scene, many ? 3 : most == 1 ? 1 : 2, many ? 6 : most)) return false;
  sample.subject = scene.shapes[0].name();
  sample.pictures.push_back(draw_picture(draw, scene));
  add_shape_turns(draw, sample, scene, draw.turns(4, 6), 1);
  return true;
}

}  // namespace herd::world
