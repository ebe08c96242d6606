// Several pictures to compare, a picture beside a text, and a picture whose content goes into a tool call.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "world/draw.h"
#include "world/filler.h"
#include "world/shape_scene.h"
#include "world/task_list.h"
#include "world/tools.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

constexpr std::string_view ordinals[] = {"first", "second", "third", "fourth"};

// Scenes of one to three shapes each; the asked-about scene's first shape decides the split, the others are free of
// held-out pairs in training.
bool draw_scenes(Draw& draw, Sample& sample, std::vector<ShapeScene>& scenes, int asked, int most) {
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    ShapeScene& scene = scenes[i];
    while (!draw_scene(draw, scene, 1, most)) {
      if (static_cast<int>(i) == asked) return false;
      scene.shapes.clear();
    }
    sample.pictures.push_back(draw_picture(draw, scene));
  }
  sample.subject = scenes[static_cast<std::size_t>(asked)].shapes[0].name();
  return true;
}

bool in_others(const std::vector<ShapeScene>& scenes, std::size_t asked, const Shape& shape) {
  for (std::size_t i = 0; i < scenes.size(); ++i)
    if (i != asked && scenes[i].count(shape.kind, shape.colour) > 0) return true;
  return false;
}

// What was asked of which scene; of all of them together counts as of the first.
using AskedAlready = std::set<std::pair<int, std::size_t>>;

// One question about the scene `at`; false when these scenes do not allow the one that was drawn, or it was asked
// before.
bool ask_about(Draw& draw, Sample& sample, const std::vector<ShapeScene>& scenes, std::size_t at,
               int pictures, AskedAlready& asked) {
  const ShapeScene& scene = scenes[at];
  const Shape& shape = scene.shapes[0];
  const std::string which = "The " + std::string(ordinals[at]) + ".";
  const int kind = draw.below(4);
  const bool of_all = kind == 3;
  if (!asked.insert({kind, of_all ? 0 : at}).second) return false;
  switch (kind) {
    case 0:
      if (in_others(scenes, at, shape)) return false;
      add_user(sample,
               draw.say("{In which picture is|Which picture shows|Where do you see} $shape?",
                        {{"shape", with_article(shape.name())}}),
               pictures);
      add_answer(sample, which);
      grade_as(sample, Check::contains, {std::string(ordinals[at])});
      return true;
    case 1: {
      const auto more =
          std::ranges::max_element(scenes, {}, [](const ShapeScene& s) { return s.shapes.size(); });
      if (std::ranges::count(scenes, more->shapes.size(),
                             [](const ShapeScene& s) { return s.shapes.size(); }) > 1 ||
          &*more != &scene)
        return false;
      add_user(sample, draw.say("Which picture {has|shows} {the most|more} shapes?"), pictures);
      add_answer(sample, which);
      grade_as(sample, Check::contains, {std::string(ordinals[at])});
      return true;
    }
    case 2:
      add_user(sample,
               draw.say("{What is in|Describe|What do you see in} the $n picture?",
                        {{"n", ordinals[at]}}),
               pictures);
      add_answer(sample, caption_of(scene));
      grade_as(sample, Check::one_of);
      return true;
    default: {
      std::vector<std::string> lines;
      for (const ShapeScene& each : scenes) lines.push_back(caption_of(each));
      add_user(sample,
               draw.say("{Describe each picture.|Describe the pictures one by one.|What is in the "
                        "pictures? One line for each.}"),
               pictures);
      add_answer(sample, joined(lines, "\n", "\n"));
      grade_as(sample, Check::exact);
      return true;
    }
  }
}

}  // namespace

bool make_several_pictures(Draw& draw, Sample& sample) {
  const int count = draw.between(2, 4);
  const int asked = draw.below(count);
  std::vector<ShapeScene> scenes(static_cast<std::size_t>(count));
  if (!draw_scenes(draw, sample, scenes, asked, count == 2 ? 3 : 2)) return false;
  AskedAlready already;
  if (!ask_about(draw, sample, scenes, static_cast<std::size_t>(asked), count, already))
    return false;
  if (draw.split() == Split::train)  // as in Draw::turns; every scene there is one of training
    for (int more = draw.between(1, 4); more > 0; --more)
      ask_about(draw, sample, scenes, static_cast<std::size_t>(draw.below(count)), 0, already);
  return true;
}

// A text of some length with a fact in it, and a picture: questions about both.
bool make_picture_and_text(Draw& draw, Sample& sample) {
  std::vector<ShapeScene> scenes(1);
  if (!draw_scenes(draw, sample, scenes, 0, 3)) return false;
  const Sizes& sizes = draw.sizes();
  const int bytes =
      sizes.bytes > 0 ? sizes.bytes : draw.log_between(100, std::max(sizes.bytes_max - 400, 101));
  std::vector<std::string> sentences = filler(draw, bytes);
  const std::string_view who = draw.one(people()).name;
  const int code = draw.between(10, 999);
  sentences.insert(sentences.begin() + draw.between(0, static_cast<int>(sentences.size())),
                   fmt::format("The secret code of {} is {}.", who, code));
  const std::string text = joined(sentences, " ", " ");
  // The picture before the text or after it, and both questions in either order.
  const bool picture_first = draw.chance(0.5);
  const std::string about_text = draw.say("What is the secret code of $who?", {{"who", who}});
  if (picture_first) {
    add_user(sample, text + "\n\n" + about_text, 1);
    add_answer(sample, std::to_string(code));
    add_shape_turns(draw, sample, scenes[0], 1, 0);
  } else {
    add_user(sample, text + "\n\n" + about_text);
    add_answer(sample, std::to_string(code));
    add_shape_turns(draw, sample, scenes[0], draw.between(1, 2), 1);
  }
  return true;
}

// "Save what you see": the picture's colour and shape become arguments.
bool make_picture_tool(Draw& draw, Sample& sample) {
  std::vector<ShapeScene> scenes(1);
  if (!draw_scenes(draw, sample, scenes, 0, 1)) return false;
  const Shape& shape = scenes[0].shapes[0];
  static constexpr Parameter parameters[] = {
      {"colour|shade|paint", "the colour", ValueKind::word},
      {"shape|kind|form", "the kind of shape", ValueKind::word},
      {"size|how_large", "large or small", ValueKind::word}};
  static constexpr ToolKind kind{"save_shape|store|log_picture|remember|draw_shape",
                                 "Stores what a picture shows.",
                                 parameters,
                                 "",
                                 Effect::done,
                                 {},
                                 ""};
  const Tool tool = draw_tool(draw, kind);
  std::vector<Tool> offered{tool};
  for (int more = draw.below(3); more > 0; --more) {
    Tool other = draw_tool(draw, draw.one(tool_kinds()));
    if (std::ranges::find(offered, other.name, &Tool::name) == offered.end())
      offered.push_back(std::move(other));
  }
  draw.shuffle(offered);
  json::array definitions;
  for (const Tool& each : offered) definitions.push_back(definition_of(each));
  sample.conversation.tools = std::move(definitions);

  text::ToolCall call{.id = "call_1_0", .name = tool.name, .arguments = {}};
  call.arguments[tool.parameters[0]] = std::string(shape.colour);
  call.arguments[tool.parameters[1]] = std::string(shape.kind);
  call.arguments[tool.parameters[2]] = shape.large ? "large" : "small";
  add_user(
      sample,
      draw.say("{Save|Store|Log|Remember} {what you see|the shape in this picture|this shape}."),
      1);
  add_calls(sample, {std::move(call)});
  if (draw.chance(0.7)) {
    grade_as(sample, Check::tool_calls);
    return true;
  }
  add_result(sample, json::object{{"ok", true}});
  add_answer(sample, fmt::format("I stored the {} {}.", shape.colour, shape.kind));
  grade_as(sample, Check::contains, {shape.name()});
  return true;
}

}  // namespace herd::world
